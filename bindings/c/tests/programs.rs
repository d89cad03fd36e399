//! C programs against the header and the library: compiled without a warning, run, and run again under valgrind where
//! it is installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const WARNINGS: [&str; 6] = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The shared library, which cargo puts beside the package's tests.
fn library() -> PathBuf {
    std::env::current_exe().expect("a test has a path").with_file_name("librustdb_c.so")
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

fn expect_success(command: &mut Command) -> String {
    let output = run(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out
}

/// Makes a folder, empty.
#[expect(clippy::disallowed_methods, reason = "a folder of the test, not a database's file")]
fn fresh(folder: PathBuf) -> PathBuf {
    // Left by a run before, or not there.
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).expect("a writable target folder");
    folder
}

/// Compiles a program, runs it in an empty folder, and again under valgrind; returns what it prints.
fn check(source: &str, name: &str) -> String {
    let folder = fresh(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    let program = folder.join(name);
    // As `make install-c` lays them out.
    let libraries = fresh(folder.join("lib"));
    for name in ["librustdb.so.0", "librustdb.so"] {
        symlink(library(), libraries.join(name)).expect("a writable target folder");
    }
    let mut compile = Command::new("gcc");
    compile.args(WARNINGS).arg("-I").arg(repository().join("include"));
    compile.arg(repository().join(source)).arg("-o").arg(&program);
    compile.arg("-L").arg(&libraries).args(["-lrustdb", "-lpthread"]);
    expect_success(&mut compile);
    let at = |mut command: Command| {
        let directory = fresh(folder.join("run"));
        command.env("STEPS", repository().join("tests/parity/steps.txt"));
        expect_success(command.current_dir(directory).env("LD_LIBRARY_PATH", &libraries))
    };
    let printed = at(Command::new(&program));
    if is_installed("valgrind") {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
        valgrind.arg("--errors-for-leak-kinds=definite,indirect");
        valgrind.arg(&program);
        assert_eq!(at(valgrind), printed);
    }
    printed
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn the_header_is_cpp_too() {
    if is_installed("g++") {
        let header = repository().join("include/rustdb.h");
        let mut compile = Command::new("g++");
        compile.args([
            "-std=c++17",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-fsyntax-only",
            "-x",
            "c++",
        ]);
        expect_success(compile.arg(header));
    }
}

#[test]
fn every_function_does_what_the_header_says() {
    assert_eq!(check("bindings/c/tests/programs/api.c", "api"), "ok\n");
}

#[test]
fn c_answers_as_all_do() {
    assert_eq!(check("bindings/c/tests/programs/parity.c", "parity"), "ok\n");
}

#[test]
fn the_example_prints_what_it_promises() {
    let printed = check("examples/c/library.c", "library");
    assert_eq!(printed, include_str!("../../../examples/c/library.txt"));
}
