//! The files that a crawl reads and writes.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use peermux::private_file;
use peermux_cli::node_file::{self, Format, KnownNode, NodeFileError, NodesRead};

use super::picture;
use super::summary::Summary;
use crate::failure::Failure;
use crate::refused::Refused;

/// Reads the nodes of a file.
pub(super) fn read(path: &Path, max: usize) -> Result<NodesRead, Failure> {
    let wrong = |why: &dyn Display| {
        let path = path.display();
        Failure::because(format!("cannot read file of nodes {path}: {why}"))
    };
    let file = File::open(path).map_err(|error| wrong(&Refused::Read.text(&error)))?;
    node_file::read(BufReader::new(file), max).map_err(|error| match error {
        NodeFileError::Io(error) => wrong(&Refused::Read.text(&error)),
        error => wrong(&error),
    })
}

/// The files for results.
#[derive(Debug)]
pub(super) struct Files {
    nodes: Option<(PathBuf, Format)>,
    picture: Option<PathBuf>,
}

impl Files {
    /// Checks that the files can be written, before the crawl starts.
    pub(super) fn new(
        out: Option<PathBuf>,
        format: Option<Format>,
        picture: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        for path in out.iter().chain(&picture) {
            check(path)?;
        }
        let nodes = out.map(|path| {
            let format = format.unwrap_or_else(|| Format::of_name(&path));
            (path, format)
        });
        Ok(Self { nodes, picture })
    }

    /// Writes the nodes, and replaces an earlier file.
    pub(super) fn save<'a>(
        &self,
        nodes: impl Iterator<Item = &'a KnownNode>,
    ) -> Result<(), Failure> {
        let Some((path, format)) = &self.nodes else {
            return Ok(());
        };
        let mut content = Vec::new();
        node_file::write(*format, nodes, &mut content).map_err(|error| cannot(path, &error))?;
        private_file::write_over(path, &content).map_err(|error| cannot(path, &error))
    }

    /// Draws the picture.
    pub(super) fn draw(&self, summary: &Summary) -> Result<(), Failure> {
        let Some(path) = &self.picture else {
            return Ok(());
        };
        let svg = picture::draw(summary);
        private_file::write_over(path, svg.as_bytes()).map_err(|error| cannot(path, &error))
    }

    /// Returns whether the nodes go into a file.
    pub(super) fn take_nodes(&self) -> bool {
        self.nodes.is_some()
    }
}

fn check(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(cannot(path, &io::Error::from(ErrorKind::IsADirectory)));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(cannot(path, &io::Error::from(ErrorKind::NotADirectory))),
        Err(error) => Err(cannot(path, &error)),
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let why = Refused::Make.text(error);
    Failure::because(format!("cannot write {}: {why}", path.display()))
}
