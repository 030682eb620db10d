use std::path::PathBuf;
use std::process::Command;

use ndarray::Array2;

use super::*;
use crate::pictures::{Row, panel};

/// A run folder as training leaves it: two cases, one of them with a known target.
fn run_folder() -> tempfile::TempDir {
    let run = tempfile::tempdir().unwrap();
    std::fs::write(run.path().join("config.toml"), "[train]\nepochs = 5 # <few>\n").unwrap();
    let lines: Vec<String> = (1..=200)
        .map(|step| {
            let (cycle, adversarial) = (1.0 / f64::from(step), 0.3 + 0.1 * f64::from(step % 3));
            format!(r#"{{"step":{step},"epoch":1,"images":{step},"loss":{{"cycle":{cycle},"adversarial":{adversarial}}}}}"#)
        })
        .chain((1..=5).map(|epoch| format!(r#"{{"epoch":{epoch},"validation":{{"t1_to_t2":{{"ssim":0.{epoch}}}}}}}"#)))
        .collect();
    std::fs::write(run.path().join("metrics.jsonl"), lines.join("\n")).unwrap();
    let scores = |psnr: f64| {
        serde_json::json!({
            "psnr_db": {"mean": psnr, "sd": 0.5}, "ssim": {"mean": 0.75, "sd": 0.01},
            "foreground": {"psnr_db": {"mean": psnr - 3.0, "sd": 0.5}},
        })
    };
    let evaluation = serde_json::json!({"t1_to_t2": {
        "probes": {
            "cases": 24,
            "steganography": {"noise_sd": 0.01, "cycle_error": {"mean": 0.0323, "sd": 0.001}, "ratio_noise": {"mean": 1.0111, "sd": null}},
            "shift": {"shift_px": 1, "change": {"mean": 0.0246, "sd": 0.002}},
        },
        "model": scores(20.4), "baselines": {"copy": scores(11.3), "lut": scores(25.7)}, "cases": [{}, {}],
        "lesions": {
            "judged": 19, "unclear": 2, "searched_px": 5000,
            "thresholds": {"erased_below": 0.25, "invented_above": 0.5},
            "model": {"contrast_kept": 0.2, "sign_kept": {"count": 18, "share": 0.947}, "erased": {"count": 14, "share": 0.737}, "invented": 3},
            "baselines": {"copy": null},
        },
        "tissues": {
            "cases": 2, "model": {"csf": {"mean": 0.671, "sd": 0.1}, "white_matter": {"mean": null}},
            "ceiling": {"csf": {"mean": 0.856, "sd": 0.1}},
        },
    }});
    std::fs::write(run.path().join("evaluation.json"), evaluation.to_string()).unwrap();

    let input = Array2::from_shape_fn((217, 181), |(y, x)| {
        let radius = ((y as f32 - 108.0) / 100.0).hypot((x as f32 - 90.0) / 80.0);
        if radius < 1.0 { (9.0 * radius).sin() } else { -1.0 }
    });
    let translated = input.mapv(|value| if value == -1.0 { -1.0 } else { -value });
    let row = |from: &str, to: &str, target| Row {
        from: from.into(),
        to: to.into(),
        input: input.clone(),
        translated: translated.clone(),
        cycled: Some(input.clone()),
        target,
    };
    let rows = [row("t1", "t2", Some(translated.mapv(|value| 0.9 * value))), row("t2", "t1", None)];
    for epoch in [1, 5] {
        let path = run.path().join(format!("samples/epoch_{epoch:04}.png"));
        panel(&format!("epoch {epoch}"), &rows, (-1.0, 1.0)).save(&path).unwrap();
    }
    progress_gif::write(run.path()).unwrap();
    run
}

#[test]
fn the_page_holds_everything_and_asks_nothing_of_a_network() {
    let run = run_folder();
    write(run.path()).unwrap();
    let html = std::fs::read_to_string(run.path().join("report.html")).unwrap();
    assert!(html.contains(WARNING));
    assert!(html.contains("<th scope=\"row\">the model</th><td>20.40 <small>± 0.50</small></td>"));
    assert!(html.contains("lookup table *"));
    assert!(html.contains("24 cases: mean ± SD") && html.contains("noise of 1% of the range. Above 2 times"));
    assert!(html.contains("<td>3.23 <small>± 0.10</small></td>") && html.contains("<td>1.01</td>"));
    assert!(html.contains("t1 to t2: 19 lesions (2 more"));
    assert!(
        html.contains("<th scope=\"row\">the model</th><td>0.20</td><td>95 %</td><td>74 %</td><td>3</td>")
    );
    assert!(html.contains("<th scope=\"row\">the true image</th><td>0.856</td><td></td><td></td>"));
    assert!(html.contains("epochs = 5 # &lt;few&gt;"));
    assert!(html.contains("data:image/gif;base64,R0lGOD"));
    assert_eq!(
        html.matches("<figure").count(),
        7,
        "four tiles of the case with a target, three of the other"
    );
    let names = ["http://www.w3.org/2000/svg"]; // a namespace, never fetched
    let rest = names.iter().fold(html, |html, name| html.replace(name, ""));
    assert!(!rest.contains("http:") && !rest.contains("https:") && !rest.contains("src=\"/"));
}

#[test]
fn a_run_that_has_only_begun_has_a_report() {
    let run = tempfile::tempdir().unwrap();
    write(run.path()).unwrap();
    let html = std::fs::read_to_string(run.path().join("report.html")).unwrap();
    assert!(html.contains("nothing measured yet") && !html.contains("id=\"compare\""));
}

#[test]
fn a_collapsed_run_says_so_first() {
    let run = run_folder();
    write(run.path()).unwrap();
    let html = || std::fs::read_to_string(run.path().join("report.html")).unwrap();
    assert!(!html().contains("collapsed"));
    let record = r#"{"epoch":5,"validation":{},"collapse":["the synthetic t2 images are <nearly> flat"]}"#;
    std::fs::write(run.path().join("metrics.jsonl"), record).unwrap();
    write(run.path()).unwrap();
    let html = html();
    let place = |text: &str| html.find(text).unwrap();
    assert!(place("<li>the synthetic t2 images are &lt;nearly&gt; flat</li>") < place("<table>"));
}

#[test]
fn the_slider_moves_in_a_browser() {
    let Some(browser) = browser() else {
        println!("skipped: no Chromium on this machine (set CHROMIUM to name one)");
        return;
    };
    let run = run_folder();
    write(run.path()).unwrap();
    let html = std::fs::read_to_string(run.path().join("report.html")).unwrap();
    // What a hand would do, and what an eye would see of it, said in the title.
    let probe = "<script>
      const cut = document.getElementById('cut'), seen = [];
      const look = () => seen.push(getComputedStyle(document.getElementById('left')).clipPath);
      for (const value of [20, 90]) { cut.value = value; cut.dispatchEvent(new Event('input', { bubbles: true })); look(); }
      document.querySelectorAll('#pairs button')[1].click();
      seen.push(document.getElementById('left-label').textContent, document.getElementById('right-label').textContent);
      const choice = document.getElementById('case'); choice.value = 1; choice.dispatchEvent(new Event('change'));
      seen.push(document.querySelectorAll('#pairs button').length, document.getElementById('right').alt);
      document.title = seen.join(' ; ');
    </script></body>";
    let page = run.path().join("probed.html");
    std::fs::write(&page, html.replace("</body>", probe)).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        .arg(format!("--user-data-dir={}", run.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let title =
        dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or_default();
    assert_eq!(
        title,
        "inset(0px 80% 0px 0px) ; inset(0px 10% 0px 0px) ; synthetic t2 ; true t2 ; 1 ; synthetic t1",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Chromium of `CHROMIUM` or of the search path.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let on_path = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    named.into_iter().chain(on_path).find(|path| path.exists())
}
