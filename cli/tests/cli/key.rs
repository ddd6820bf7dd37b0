use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::folder::Folder;
use crate::foreign::OTHER_KEY;
use crate::process::{Peermux, command, keys, run};

/// The secret key 1.
const ONE: &str = "0000000000000000000000000000000000000000000000000000000000000001";

/// Returns the path of a file that does not exist.
fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("peermux-{name}.key"));
    // The file may exist from the last run.
    let _ = fs::remove_file(&path);
    path.into_os_string()
        .into_string()
        .expect("a path in UTF-8")
}

#[test]
fn a_new_key_is_for_its_owner_alone_and_never_overwritten() {
    let path = file("new");
    let made = run(&["key", "new", "--key-file", &path, "--json"]).events();
    assert_eq!(made.len(), 1);
    assert_eq!(keys(&made[0]), ["enode", "event", "node_id", "public_key"]);
    let mode = fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = fs::read_to_string(&path).expect("text");
    assert_eq!(secret.len(), 65, "64 digits and a newline");

    let (line, output) = run(&["key", "new", "--key-file", &path, "--json"]).failed();
    assert!(
        line.starts_with(&format!("cannot make key file {path}: ")),
        "{line}"
    );
    assert!(output.is_empty(), "{output:?}");
    assert_eq!(fs::read_to_string(&path).expect("text"), secret);

    let shown = run(&["key", "show", "--key-file", &path, "--json"]).events();
    assert_eq!(shown, made);
    let shown = run(&["key", "show", "--key", secret.trim(), "--json"]).events();
    assert_eq!(shown, made);
}

/// Kills the process as soon as a file exists, while the process writes the key.
#[test]
fn a_kill_while_a_key_is_written_leaves_all_of_it_or_nothing() {
    for _ in 0..20 {
        let folder = Folder::new();
        let path = folder.text("node.key");
        let mut process = command(&["key", "new", "--key-file", &path]);
        let mut process = process.stdout(Stdio::null()).spawn().expect("it starts");
        let files = || fs::read_dir(folder.path("")).expect("a folder").count();
        while files() == 0 && process.try_wait().expect("a child of ours").is_none() {}
        process.kill().expect("a child of ours");
        process.wait().expect("a child of ours");
        if let Ok(secret) = fs::read_to_string(&path) {
            assert_eq!(secret.len(), 65, "{secret:?}");
        }
        // In either case the next run finds or makes a whole key.
        if !fs::exists(&path).expect("a folder") {
            run(&["key", "new", "--key-file", &path]).succeeded();
        }
        run(&["key", "show", "--key-file", &path]).succeeded();
    }
}

#[test]
fn many_that_make_one_key_file_at_once_agree_on_it() {
    let folder = Folder::new();
    let path = folder.text("node.key");
    let makers: Vec<_> = (0..8)
        .map(|_| Peermux::start(&["key", "new", "--key-file", &path, "--json"]))
        .collect();
    let ended: Vec<_> = makers.into_iter().map(Peermux::ended).collect();
    let mut made = ended.into_iter().filter(|ended| ended.code == Some(0));
    let shown = run(&["key", "show", "--key-file", &path, "--json"]).events();
    assert_eq!(made.next().expect("one of them").events(), shown);
    assert!(made.next().is_none(), "two keys were made");
    let files = fs::read_dir(folder.path("")).expect("a folder").count();
    assert_eq!(files, 1, "the unfinished file is gone");
}

#[test]
fn a_key_is_shown_with_its_enode_url() {
    let shown = ["key", "show", "--key", ONE];
    let lines = run(&shown).succeeded();
    assert_eq!(lines[0], format!("public key {OTHER_KEY}"));
    assert_eq!(
        lines[1],
        "node id    c0a6c424ac7157ae408398df7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    );
    assert_eq!(lines[2], format!("enode      enode://{OTHER_KEY}"));
    let events = run(&[&shown[..], &["--addr", "[::1]:30303", "--json"]].concat()).events();
    assert_eq!(events[0]["public_key"], OTHER_KEY);
    assert_eq!(
        events[0]["enode"],
        format!("enode://{OTHER_KEY}@[::1]:30303")
    );
}

#[test]
fn key_files_that_are_none_are_failures() {
    let missing = file("missing");
    let (line, _) = run(&["listen", "--key-file", &missing]).failed();
    assert!(
        line.starts_with(&format!("cannot read key file {missing}: ")),
        "{line}"
    );
    let folder = Folder::new();
    let junk = folder.file("junk", "not a key");
    let (line, _) = run(&["key", "show", "--key-file", &junk]).failed();
    assert!(line.starts_with(&format!("key file {junk}: ")), "{line}");
}

#[test]
fn a_key_that_others_can_read_is_refused_until_its_mode_is_mended() {
    let folder = Folder::new();
    let key = folder.file("key", ONE);
    run(&["key", "show", "--key-file", &key]).succeeded();
    folder.set_mode("key", 0o644);
    let (line, output) = run(&["key", "show", "--key-file", &key]).failed();
    let mend = format!("chmod 600 {key}");
    let refused = format!("key file {key} is open to others (mode 0644); run `{mend}`");
    assert_eq!((line, output), (refused, Vec::new()));
    let mended = Command::new("sh").args(["-c", &mend]).status();
    assert!(mended.expect("it runs").success());
    run(&["key", "show", "--key-file", &key]).succeeded();
}

/// In a Kubernetes secret each file is a link, and so is its folder.
#[test]
fn a_link_to_a_key_is_refused_and_a_key_behind_a_link_is_not() {
    let folder = Folder::new();
    fs::create_dir(folder.path("..1")).expect("a folder");
    folder.file("..1/key", ONE);
    symlink("..1", folder.path("..data")).expect("a link");
    symlink("..data/key", folder.path("key")).expect("a link");
    let link = folder.text("key");
    let (line, _) = run(&["key", "show", "--key-file", &link]).failed();
    let refused =
        format!("key file {link} is a symbolic link; give the path it leads to, \"..data/key\"");
    assert_eq!(line, refused);
    let key = folder.text("..data/key");
    run(&["key", "show", "--key-file", &key]).succeeded();
}

#[test]
fn a_key_can_come_through_a_pipe_of_the_shell() {
    let mut show = Command::new("bash");
    let script = format!("exec \"$0\" key show --key-file <(echo {ONE})");
    show.args(["-c", &script, env!("CARGO_BIN_EXE_peermux")]);
    let lines = Peermux::spawn(show).ended().succeeded();
    assert_eq!(lines[0], format!("public key {OTHER_KEY}"));
}

#[test]
fn a_wrong_key_is_refused_and_not_repeated() {
    for wrong in ["c0ffee".to_owned(), "c0ffee".repeat(11), "0".repeat(64)] {
        let text = run(&["key", "show", "--key", &wrong]).refused();
        assert!(text.contains("--key takes 64 hexadecimal digits"), "{text}");
        assert!(!text.contains(&wrong), "{text}");
    }
}

/// A key is not repeated, whatever its place among the arguments and whatever its form.
#[test]
fn a_key_given_by_mistake_is_never_repeated() {
    let folder = Folder::new();
    let secret = "5ec2e7c0ffee".repeat(6);
    let secret = &secret[..64];
    let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = folder.file("utf16", &utf16);
    let quoted = folder.file("quoted", &format!("'{secret}'"));
    let list = folder.file("list.toml", &format!("static_nodes = [\"{secret}\"]"));
    let single = folder.file("single.toml", &format!("trusted_nodes = \"{secret}\""));
    let number = folder.file("number.toml", &format!("max_peers = \"{secret}\""));
    let field = folder.file("field.toml", &format!("{secret} = 1"));
    let cases: [&[&str]; 16] = [
        &[secret],
        &["demo", secret],
        &["ping", secret],
        &["ping", &format!("enode://{secret}@127.0.0.1:1")],
        &["ping", &format!("\"{secret}\"")],
        &["listen", "--static", secret],
        &["listen", "--trusted", &format!("0x{secret}")],
        &["listen", "--addr", secret],
        &["listen", "--addr", &format!("127.0.0.1:{secret}")],
        &["listen", "--max-peers", secret],
        &["listen", "--key-file", &utf16],
        &["listen", "--key-file", &quoted],
        &["listen", "--config", &list],
        &["listen", "--config", &single],
        &["listen", "--config", &number],
        &["listen", "--config", &field],
    ];
    for arguments in cases {
        let ended = run(arguments);
        assert_ne!(ended.code, Some(0), "{arguments:?}");
        let text = ended.errors.join("\n");
        assert!(!text.contains(&secret[..8]), "{arguments:?}: {text}");
    }
    let (line, _) = run(&["listen", "--key-file", &utf16]).failed();
    assert!(line.contains("it is UTF-16"), "{line}");
    let text = run(&["listen", "--static", secret]).refused();
    assert!(text.contains("are a node id or a secret key"), "{text}");
}

#[test]
fn it_must_be_said_which_key() {
    let text = run(&["key", "new"]).refused();
    assert!(text.contains("--key-file PATH is needed"), "{text}");
    let text = run(&["key", "show"]).refused();
    assert!(
        text.contains("--key-file PATH or --key HEX is needed"),
        "{text}"
    );
    let text = run(&["key", "show", "--key", ONE, "--key-file", "x"]).refused();
    assert!(text.contains("cannot be used with"), "{text}");
}
