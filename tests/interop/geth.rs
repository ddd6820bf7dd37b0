//! Builds the node that uses go-ethereum's `p2p` package.

use std::ffi::OsStr;

use crate::foreign::{Foreign, Implementation, announce, build_with, is_built, output, sources};

/// The message sizes to test. The last one is the largest incompressible message that fits both
/// sides' 16 MiB limit.
const SIZES: &[usize] = &[0, 1, 1 << 10, 64 << 10, (16 << 20) - (1 << 10)];

/// Builds the node and go-ethereum's own `devp2p`, both at the versions pinned in go.mod.
pub(crate) fn build() -> Result<Foreign, String> {
    let (node, devp2p) = (output().join("geth-peer"), output().join("devp2p"));
    let packages = [
        (&node, ".", "a node on go-ethereum"),
        (
            &devp2p,
            "github.com/ethereum/go-ethereum/cmd/devp2p",
            "go-ethereum's `devp2p`",
        ),
    ];
    let packages = packages.into_iter().filter(|_| !is_built());
    for (binary, package, what) in packages {
        let arguments = ["build", "-o"].map(OsStr::new);
        let arguments = arguments
            .into_iter()
            .chain([binary.as_ref(), package.as_ref()]);
        announce("go", what);
        build_with("go", &sources().join("geth"), arguments)?;
    }
    Ok(Foreign {
        implementation: Implementation::Geth,
        command: vec![node.into()],
        client: "go-ethereum",
        sizes: SIZES,
        devp2p: Some(devp2p),
    })
}
