//! What a GPU's memory was too little for, and what would fit.

use anyhow::Error;
use candle_core::{DType, Tensor};
use mri_cyclegan::{CycleGan, DeviceMemory, device_memory, forget_peak_memory};
use mri_unet::{GeneratorConfig, GeneratorKind, PatchGanConfig};

use crate::config::Config;

/// Side of the trial's images, px, where the network does not need more.
const TRIAL_SIDE_PX: usize = 128;
/// Part of the memory that is counted on: what an operation needs besides does not quite follow the number of pixels.
const SAFE_PART: f64 = 0.9;

/// `error` of the training of `model` by `config`; where a GPU had no memory left, with what would have fitted. Then the model
/// is of no more use.
pub fn of_training(error: Error, model: &mut CycleGan, config: &Config) -> Error {
    if !is_out_of_memory(&error) {
        return error;
    }
    let Ok(Some(memory)) = device_memory(model.device()) else { return error };
    let (batch, size) = (config.train.batch, config.data.size.height_width_px());
    let grid = Grid::of(&config.model, &config.discriminator);
    // What there was room for when it failed: other programs have a part of the whole.
    let usable = SAFE_PART * memory.peak as f64;
    let need = Need::by_trial(model, config.model.in_channels, grid);
    let fit = need.map(|need| Fit::within(usable, need, batch, size, grid));
    error.context(explained(memory, batch, size, fit.unwrap_or_default()))
}

/// `error` of a translation in which `batch` slices passed at once.
pub fn of_translation(error: Error, batch: usize) -> Error {
    if !is_out_of_memory(&error) {
        return error;
    }
    error.context(match batch {
        1 => "the GPU's memory is too little for one slice of this size: use --device cpu".into(),
        _ => format!("the GPU's memory is too little for {batch} slices at once: give a smaller --batch"),
    })
}

/// Whether the driver had no memory left, or a library that asked it for some.
fn is_out_of_memory(error: &Error) -> bool {
    let text = format!("{error:#}");
    ["ERROR_OUT_OF_MEMORY", "ALLOC_FAILED", "ALLOCATION_FAILED"].iter().any(|code| text.contains(code))
}

/// The sides, px, that networks take as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grid {
    multiple: usize,
    least: usize,
}

impl Grid {
    fn of(generator: &GeneratorConfig, discriminator: &PatchGanConfig) -> Self {
        let multiple = match generator.kind {
            GeneratorKind::UNet => 1 << generator.depth,
            GeneratorKind::ResNet => 4,
        };
        Self { multiple, least: (3usize << discriminator.layers).next_multiple_of(multiple) }
    }

    fn trial_side_px(self) -> usize {
        TRIAL_SIDE_PX.next_multiple_of(self.multiple).max(self.least)
    }
}

fn trial_step(model: &mut CycleGan, images: usize, channels: usize, side: usize) -> Result<(), Error> {
    let x = Tensor::zeros((images, channels, side, side), DType::F32, model.device())?;
    model.step(&x, &x, 0.)?.read()?;
    Ok(())
}

/// The memory of a step, bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Need {
    /// Weights, moments, pools: whatever the batch.
    fixed: f64,
    /// For each pixel of the images of one domain.
    per_pixel: f64,
}

impl Need {
    /// By steps of one image and of two; `None` where even they do not fit.
    fn by_trial(model: &mut CycleGan, channels: usize, grid: Grid) -> Option<Self> {
        let side = grid.trial_side_px();
        let mut peak_of = |images: usize| -> Result<usize, Error> {
            // The first makes what is kept from step to step.
            trial_step(model, images, channels, side)?;
            forget_peak_memory(model.device())?;
            trial_step(model, images, channels, side)?;
            Ok(device_memory(model.device())?.map_or(0, |memory| memory.peak))
        };
        let peaks = [peak_of(1).ok()?, peak_of(2).ok()?];
        Self::through(side * side, peaks)
    }

    /// The line through the memory that one image and that two took.
    fn through(image_pixels: usize, [one, two]: [usize; 2]) -> Option<Self> {
        let image = two.checked_sub(one).filter(|&bytes| bytes > 0)? as f64;
        Some(Self { fixed: (one as f64 - image).max(0.), per_pixel: image / image_pixels as f64 })
    }
}

/// What would fit: another batch at the same size, or another size with the same batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fit {
    batch: Option<usize>,
    size: Option<[usize; 2]>,
}

impl Fit {
    /// Rounded down, and less than what has just failed.
    fn within(usable: f64, need: Need, batch: usize, size: [usize; 2], grid: Grid) -> Self {
        let pixels = ((usable - need.fixed) / need.per_pixel).max(0.);
        let [height, width] = size.map(|side| side as f64);
        let images = (pixels / (height * width)) as usize;
        let scale = (pixels / batch as f64 / (height * width)).sqrt();
        let scaled = size.map(|side| {
            let below = (scale * side as f64).min(side as f64 - 1.) as usize;
            below / grid.multiple * grid.multiple
        });
        Self {
            batch: Some(images.min(batch - 1)).filter(|&images| images > 0),
            size: Some(scaled).filter(|sides| sides.iter().all(|&side| side >= grid.least)),
        }
    }
}

fn explained(memory: DeviceMemory, batch: usize, [height, width]: [usize; 2], fit: Fit) -> String {
    let total_gib = memory.total as f64 / f64::from(1 << 30);
    let batch_fits = fit.batch.map(|batch| format!("batch {batch} at this size (train.batch={batch})"));
    let size_fits = fit.size.map(|[height, width]| {
        let key = if height == width { height.to_string() } else { format!("[{height},{width}]") };
        format!("{height}x{width} px at this batch (data.size={key})")
    });
    let fitting: Vec<String> = batch_fits.into_iter().chain(size_fits).collect();
    let advice = match fitting.is_empty() {
        true => "take a smaller data.size, model.width or train.batch".into(),
        false => format!("by trial steps there is room for {}", fitting.join(", or for ")),
    };
    format!("the GPU's {total_gib:.1} GiB are too little for batch {batch} at {height}x{width} px; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use mri_cyclegan::Architecture;

    const MIB: usize = 1 << 20;
    const GRID: Grid = Grid { multiple: 32, least: 32 };

    /// 100 MiB, and 1 KiB for each pixel.
    fn need() -> Need {
        Need::through(128 * 128, [116 * MIB, 132 * MIB]).unwrap()
    }

    #[test]
    fn the_need_is_a_line_through_two_trials() {
        assert_eq!(need(), Need { fixed: 100. * MIB as f64, per_pixel: 1024. });
        assert_eq!(Need::through(128 * 128, [116 * MIB, 116 * MIB]), None, "nothing was measured");
    }

    #[test]
    fn what_fits_is_rounded_down() {
        // Room for 3.5 images of 512x512 px.
        let usable = (100 + 3 * 256 + 128) as f64 * MIB as f64;
        let fit = Fit::within(usable, need(), 16, [512, 512], GRID);
        // 512 * sqrt(3.5 / 16) = 239.5.
        assert_eq!(fit, Fit { batch: Some(3), size: Some([224, 224]) });
        let fit = Fit::within(usable, need(), 16, [512, 256], GRID);
        assert_eq!(fit, Fit { batch: Some(7), size: Some([320, 160]) });
    }

    #[test]
    fn what_has_failed_is_never_advised() {
        let fit = Fit::within(1e15, need(), 2, [256, 256], GRID);
        assert_eq!(fit, Fit { batch: Some(1), size: Some([224, 224]) });
        assert_eq!(Fit::within(1e15, need(), 1, [32, 32], GRID), Fit::default());
        assert_eq!(Fit::within(50. * MIB as f64, need(), 4, [256, 256], GRID), Fit::default());
    }

    #[test]
    fn sides_fit_the_networks() {
        let of = |kind, depth, layers| {
            let generator = GeneratorConfig { kind, depth, ..GeneratorConfig::default() };
            let discriminator = PatchGanConfig { layers, ..PatchGanConfig::default() };
            Grid::of(&generator, &discriminator)
        };
        assert_eq!(of(GeneratorKind::UNet, 5, 3), Grid { multiple: 32, least: 32 });
        assert_eq!(of(GeneratorKind::ResNet, 8, 3), Grid { multiple: 4, least: 24 });
    }

    #[test]
    fn a_trial_step_suits_the_networks_and_pools_that_hold_other_sizes() {
        for (kind, depth, channels) in [(GeneratorKind::UNet, 8, 1), (GeneratorKind::ResNet, 8, 3)] {
            let mut config = Config::default();
            (config.model.kind, config.model.depth, config.model.width) = (kind, depth, 2);
            (config.model.in_channels, config.model.out_channels) = (channels, channels);
            (config.discriminator.width, config.discriminator.in_channels) = (2, channels);
            config.train.pool = 1;
            let architecture =
                Architecture { generator: config.model.clone(), discriminator: config.discriminator.clone() };
            let mut model =
                CycleGan::new(&architecture, &config.loss, &config.train, 0, &Device::Cpu).unwrap();
            let side = Grid::of(&config.model, &config.discriminator).trial_side_px();
            trial_step(&mut model, 1, channels, side / 2).unwrap();
            for images in [1, 2] {
                trial_step(&mut model, images, channels, side).unwrap();
            }
        }
    }

    #[test]
    fn the_words_have_the_settings() {
        let memory = DeviceMemory { total: 16 << 30, peak: 0 };
        let fit = Fit { batch: Some(3), size: Some([320, 160]) };
        assert_eq!(
            explained(memory, 16, [512, 256], fit),
            "the GPU's 16.0 GiB are too little for batch 16 at 512x256 px; by trial steps there is room for batch 3 at \
             this size (train.batch=3), or for 320x160 px at this batch (data.size=[320,160])"
        );
        let none = explained(memory, 16, [512, 512], Fit::default());
        assert!(none.ends_with("; take a smaller data.size, model.width or train.batch"), "{none}");
    }

    #[test]
    fn only_a_lack_of_memory_is_explained() {
        let cuda = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let explained = of_translation(anyhow::anyhow!(cuda), 8).to_string();
        assert!(explained.contains("a smaller --batch"), "{explained}");
        for message in ["CudnnError(CUDNN_STATUS_ALLOC_FAILED)", "CublasError(CUBLAS_STATUS_ALLOC_FAILED)"] {
            assert!(is_out_of_memory(&anyhow::anyhow!(message).context("step")), "{message}");
        }
        let other = of_translation(anyhow::anyhow!("CUDA_ERROR_LAUNCH_FAILED"), 8).to_string();
        assert_eq!(other, "CUDA_ERROR_LAUNCH_FAILED");
    }
}
