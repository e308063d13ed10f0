//! Makes `testdata/demo/trail.tar.gz`: `cargo run -p traillake-testkit --example make_demo FILE`.
#![allow(clippy::print_stdout)]

use std::io;

fn main() -> io::Result<()> {
    let file =
        std::env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: make_demo FILE"))?;
    let archive = traillake_testkit::demo::archive()?;
    println!("{} objects, {} bytes", traillake_testkit::demo::objects()?.len(), archive.len());
    std::fs::write(file, archive)
}
