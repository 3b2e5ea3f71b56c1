//! Runnable examples: `cargo run -p mailu-examples --example render`. Configuration files for every mode are in `config/`.
