//! The binary `resthooks`.

use std::process::ExitCode;

// Every request allocates on one thread and frees on another; this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    resthooks_server::run(std::env::args_os())
}
