//! A file that cannot be read causes a clear error and is kept.

use std::path::{Path, PathBuf};

use peermux::addrbook::{Change, RedbStore, Source, Store, StoreError, Table};
use tokio_util::sync::CancellationToken;

use super::{Folder, node, open};

async fn write_some(path: &Path) {
    let (book, writer) = open(path).await.unwrap();
    for number in 0..200 {
        book.add(&node(number), Source::Own).unwrap();
    }
    let stop = CancellationToken::new();
    stop.cancel();
    writer.run(stop.cancelled_owned()).await.unwrap();
}

fn aside(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.damaged-{number}", path.display()))
}

#[tokio::test]
async fn a_file_that_is_not_a_book_is_kept_aside() {
    let folder = Folder::new();
    let path = folder.file();
    for (number, content) in [(1, "not a database"), (2, "neither")] {
        folder.write(content.repeat(1000));
        let error = open(&path).await.unwrap_err();
        let StoreError::Damaged {
            path: named, kept, ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((named, kept.as_ref()), (&path, Some(&aside(&path, number))));
        assert!(!path.exists());
        let kept = std::fs::read_to_string(aside(&path, number)).unwrap();
        assert_eq!(kept, content.repeat(1000));
        // After that, the owner can continue with an empty book.
        let (book, _writer) = open(&path).await.unwrap();
        assert!(book.is_empty());
    }
}

/// A file with a changed or missing byte is read correctly or reported as damaged. It never yields
/// a wrong address or a panic.
#[tokio::test]
async fn a_changed_byte_is_noticed() {
    let folder = Folder::new();
    let path = folder.file();
    write_some(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = 0;
    for step in 0..60 {
        let mut bytes = whole.clone();
        // Half of the changes are close together at the start, where the header is. The others are
        // spread over the whole file.
        let at = if step < 30 {
            step * 11
        } else {
            (step - 30) * whole.len() / 30
        };
        if step % 5 == 4 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 0x10;
        }
        folder.write(&bytes);
        match open(&path).await {
            // An empty file becomes a new book.
            Ok((book, _writer)) => assert!(book.len() == 200 || bytes.is_empty(), "at {at}"),
            Err(StoreError::Damaged { kept, .. }) => {
                assert!(kept.unwrap().exists() && !path.exists());
                damaged += 1;
            }
            Err(error) => panic!("at {at}: {error}"),
        }
    }
    assert!(damaged > 10, "{damaged}");
}

#[tokio::test]
async fn a_newer_file_is_left_alone() {
    let folder = Folder::new();
    let path = folder.file();
    write_some(&path).await;
    let version = Change::new(Table::Meta, b"version", Some(2u32.to_be_bytes().to_vec()));
    RedbStore::open(&path).unwrap().commit(&[version]).unwrap();
    for _ in 0..2 {
        let error = open(&path).await.unwrap_err();
        assert!(matches!(
            error,
            StoreError::Newer {
                found: 2,
                supported: 1,
                ..
            }
        ));
    }
    assert!(path.exists() && !aside(&path, 1).exists());
}

#[tokio::test]
async fn a_file_in_use_or_out_of_reach_is_left_alone() {
    let folder = Folder::new();
    let path = folder.file();
    let (_book, _writer) = open(&path).await.unwrap();
    assert!(matches!(open(&path).await, Err(StoreError::InUse { .. })));
    assert!(!aside(&path, 1).exists());
    let error = open(&folder.0.join("missing/addresses")).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Io { doing: "open", .. }),
        "{error}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_is_opened_only_if_nobody_but_its_owner_can_read_it() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use peermux::private_file::Exposed;

    let folder = Folder::new();
    let path = folder.file();
    let (_book, _writer) = open(&path).await.unwrap();
    let mut mode = std::fs::metadata(&path).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    mode.set_mode(0o644);
    std::fs::set_permissions(&path, mode).unwrap();
    let error = open(&path).await.unwrap_err();
    let StoreError::Exposed(Exposed::Mode { path: named, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(named, path);

    // A dangling link must not create a file elsewhere.
    let link = folder.0.join("link");
    let elsewhere = folder.0.join("elsewhere");
    symlink(&elsewhere, &link).unwrap();
    let error = open(&link).await.unwrap_err();
    assert!(matches!(error, StoreError::Exposed(Exposed::Link { .. })));
    assert!(!elsewhere.exists());
}
