#![doc = include_str!("../README.md")]

mod adam;
mod checkpoint;
mod config;
mod cyclegan;
mod error;
mod loss;
mod losses;
mod pool;
mod random;
mod save_interval;
mod schedule;
mod tone_start;
mod train;
mod unread;
mod upload;

pub use adam::{Adam, AdamConfig};
pub use checkpoint::{
    CheckpointFolder, FORMAT_VERSION, METADATA_KEY, Metadata, TrainingState, export_model, load_translators,
    read_metadata, resume,
};
pub use config::{LossConfig, ToneStart, TrainConfig};
pub use cyclegan::{Architecture, CycleGan, Translators};
pub use error::{Error, Result};
pub use loss::Adversarial;
pub use losses::{Losses, PendingLosses};
pub use mri_kernels::{
    Arithmetic, DeviceMemory, device_memory, forget_peak_memory, open_cuda, set_arithmetic,
};
pub use pool::ImagePool;
pub use schedule::Schedule;
pub use tone_start::{ToneStatistics, estimate_tone};
pub use train::{
    Batches, EpochBatches, EpochEvent, Observer, Outcome, Progress, StepEvent, Training, Validate,
    Validation, train,
};
pub use upload::upload_ahead;
