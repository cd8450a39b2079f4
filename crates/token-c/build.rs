//! Names the shared library by the version of its interface.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // That of `onetoken_abi_version`, as a test checks.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libonetoken.so.1");
    }
}
