//! What watches a training: the progress bar, `metrics.jsonl`, and the panels.

use crate::{
    pictures::{self, Row},
    run_folder::{MetricsLog, RunFolder},
    translator::Translator,
    validation::middle,
};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use mri_cyclegan::{EpochEvent, Observer, StepEvent};
use ndarray::Array3;
use serde_json::json;
use std::io::IsTerminal;
use std::time::Instant;

/// A slice to show, of domain `from`, with its true partner where that is known: as networks see it, (channels, rows,
/// columns), of which the middle channel is shown.
pub struct Exhibit {
    pub from: usize,
    pub slice: Array3<f32>,
    pub target: Option<Array3<f32>>,
}

/// Watches one training.
pub struct Witness<'a> {
    pub run: &'a RunFolder,
    pub log: MetricsLog,
    pub bar: ProgressBar,
    pub translator: &'a Translator,
    pub exhibits: Vec<Exhibit>,
    pub panels_every: usize,
    pub epochs: usize,
    pub started: Instant,
}

/// A bar over all steps, drawn only where stderr is a terminal.
pub fn bar(steps: u64, done: u64) -> ProgressBar {
    let template = "{bar:24} {pos}/{len} steps {per_sec}, {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(steps).with_style(style).with_position(done);
    bar.reset_eta();
    bar
}

impl Witness<'_> {
    fn save_panel(&self, epoch: usize) -> Result<()> {
        let domains = self.translator.domains();
        let rows = self
            .exhibits
            .iter()
            .map(|Exhibit { from, slice, target }| {
                let to = 1 - from;
                let translated = self.translator.translate_channels(slice.view(), to)?;
                let cycled = self.translator.translate_channels(translated.view(), *from)?;
                Ok(Row {
                    from: domains[*from].into(),
                    to: domains[to].into(),
                    cycled: Some(middle(&cycled).to_owned()),
                    target: target.as_ref().map(|target| middle(target).to_owned()),
                    input: middle(slice).to_owned(),
                    translated: middle(&translated).to_owned(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let path = self.run.samples().join(format!("epoch_{epoch:04}.png"));
        pictures::panel(&format!("epoch {epoch}"), &rows, (-1., 1.)).save(&path)
    }

    fn take_note_of_epoch(&mut self, event: &EpochEvent) -> Result<()> {
        let mut line = format!("epoch {}/{}", event.epoch, self.epochs);
        if let Some(validation) = &event.validation {
            let mut record =
                json!({"epoch": event.epoch, "validation": validation.figures, "score": validation.score});
            if !validation.collapse.is_empty() {
                record["collapse"] = json!(validation.collapse);
                let signs = validation.collapse.join("; ");
                self.bar
                    .suspend(|| eprintln!("warning: looks collapsed after epoch {}: {signs}", event.epoch));
            }
            self.log.add(&record)?;
            for (direction, figures) in &validation.figures {
                line += &format!("  {direction}");
                line.extend(figures.iter().map(|(name, value)| format!(" {name} {value:.3}")));
            }
            line += if event.is_best { "  (best)" } else { "" };
        }
        if event.epoch.is_multiple_of(self.panels_every) || event.epoch == self.epochs {
            self.save_panel(event.epoch)?;
        }
        let seconds = self.started.elapsed().as_secs();
        if event.validation.is_some() || !std::io::stderr().is_terminal() {
            self.bar.suspend(|| eprintln!("{line}  [{}:{:02}]", seconds / 60, seconds % 60));
        }
        Ok(())
    }
}

impl Observer for Witness<'_> {
    fn step_done(&mut self, event: &StepEvent) -> mri_cyclegan::Result<()> {
        self.log.add(event).map_err(outside)?;
        self.bar.set_position(event.step);
        let loss = &event.loss;
        self.bar.set_message(format!(
            "adv {:.2}/{:.2} cycle {:.3}/{:.3} disc {:.2}/{:.2}",
            loss.adversarial_ab,
            loss.adversarial_ba,
            loss.cycle_a,
            loss.cycle_b,
            loss.discriminator_a,
            loss.discriminator_b
        ));
        Ok(())
    }

    fn epoch_done(&mut self, event: &EpochEvent) -> mri_cyclegan::Result<()> {
        self.take_note_of_epoch(event).map_err(outside)
    }
}

/// An error of this program, on its way through the training loop.
pub fn outside(error: anyhow::Error) -> mri_cyclegan::Error {
    mri_cyclegan::Error::Outside(error.into())
}
