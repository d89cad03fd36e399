//! Writes the C header from the functions of `src`, next to the other results of the build, where a test compares it
//! with the one in `include`; names the exported symbols and the library to the linker.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

#[expect(clippy::disallowed_methods, reason = "a result of the build, not a database's file")]
fn main() -> Result<(), Box<dyn Error>> {
    let crate_folder = env::var("CARGO_MANIFEST_DIR")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    let config = cbindgen::Config::from_file(PathBuf::from(&crate_folder).join("cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new().with_crate(&crate_folder).with_config(config).generate()?;
    let mut header = Vec::new();
    bindings.write(&mut header);
    fs::write(out.join("rustdb.h"), for_c(&String::from_utf8(header)?))?;
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,librustdb.so.0");
    }
    Ok(())
}

/// The header without the `# Safety` sections, which state for Rust what its opening states for C.
fn for_c(header: &str) -> String {
    let mut text = String::new();
    let mut in_section = false;
    let mut lines = header.lines().peekable();
    while let Some(line) = lines.next() {
        let comment = line.strip_prefix("//").map(str::trim);
        in_section = comment.is_some_and(|words| in_section || words == "# Safety");
        let section_follows = lines.peek().is_some_and(|next| next.trim() == "// # Safety");
        if !in_section && !section_follows {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}
