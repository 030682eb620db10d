//! One file a subcommand: `Args` (what clap parses) and `run`.

pub mod evaluate;
pub mod fetch;
pub mod inspect;
pub mod phantom;
pub mod train;
pub mod translate;
