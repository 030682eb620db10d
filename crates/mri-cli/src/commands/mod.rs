//! One file a subcommand: `Args` (what clap parses) and `run`.

pub mod inspect;
