//! Checks that system errors name the address or path, and say what to do.

use std::net::TcpListener;

use crate::folder::Folder;
use crate::process::run;

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("bound").to_string();
    let free = ["listen", "--addr", "127.0.0.1:0"];
    for (arguments, attempt) in [
        (vec!["listen", "--addr", &addr], "listen on"),
        (vec!["chat", "--listen", &addr], "listen on"),
        #[cfg(feature = "metrics")]
        (
            [&free[..], &["--metrics", &addr]].concat(),
            "serve metrics on",
        ),
    ] {
        let (line, _) = run(&arguments).failed();
        let expected = format!("cannot {attempt} {addr}: Address already in use");
        assert!(line.starts_with(&expected), "{line}");
        let advice = "; stop the program that listens there, or choose another port";
        assert!(line.ends_with(advice), "{line}");
    }
    let (line, _) = run(&["listen", "--addr", "192.0.2.1:1"]).failed();
    assert!(line.starts_with("cannot listen on 192.0.2.1:1: "), "{line}");
    assert!(
        line.ends_with("; choose an address of this machine"),
        "{line}"
    );
    // The error about an admin socket names the path.
    let folder = Folder::new();
    let path = folder.text("none/admin.sock");
    let (line, _) = run(&[&free[..], &["--admin", &path]].concat()).failed();
    let expected = format!("cannot listen at admin socket {path}: No such file");
    assert!(line.starts_with(&expected), "{line}");
    assert!(line.ends_with("; make its folder first"), "{line}");
}

#[test]
fn a_file_that_is_not_there_or_there_already_is_named() {
    let folder = Folder::new();
    let missing = folder.text("missing");
    let new = folder.text("none/new");
    let there = folder.file("there", "");
    let free = ["listen", "--addr", "127.0.0.1:0"];
    let key = ["--key", &"01".repeat(32)];
    let tree = [
        "dns",
        "tree",
        "--domain",
        "nodes.test",
        "--seq",
        "1",
        "--nodes",
        &missing,
    ];
    let crawl = ["crawl", "--nodes", &missing];
    let check = "; check the path";
    for (arguments, attempt, path, advice) in [
        (
            [&free[..], &["--config", &missing]].concat(),
            "read config file",
            &missing,
            check,
        ),
        (
            [&free[..], &["--key-file", &missing]].concat(),
            "read key file",
            &missing,
            check,
        ),
        (crawl.to_vec(), "read file of nodes", &missing, check),
        (
            [&tree[..], &key].concat(),
            "read file of records",
            &missing,
            check,
        ),
        (
            vec!["config", "check", &missing],
            "read config file",
            &missing,
            check,
        ),
        (
            vec!["key", "new", "--key-file", &new],
            "make key file",
            &new,
            "; make its folder first",
        ),
        (
            vec!["key", "new", "--key-file", &there],
            "make key file",
            &there,
            "; choose another path, or move that file away",
        ),
        (
            vec!["man", &there],
            "write manual pages to",
            &there,
            "; choose another path, or move that file away",
        ),
        (
            vec!["crawl", "--nodes", &there, "--out", &new],
            "write",
            &new,
            "; make its folder first",
        ),
    ] {
        let (line, _) = run(&arguments).failed();
        assert!(
            line.starts_with(&format!("cannot {attempt} {path}: ")),
            "{line}"
        );
        assert!(line.ends_with(advice), "{line}");
    }
}
