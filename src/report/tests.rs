use std::path::Path;

use super::*;

const SUMMARY: &str = r#"{"engine": "gpu", "adapter": "A <b>GPU</b>", "version": "9.9", "wall_seconds": 1.5,
"runs": [{"run": 0, "parameters": {}, "steps": 7, "method": "direct", "kernels": "tile=64", "risk": 0.25, "best_step": 3, "diverged_at": null}]}"#;
const METRICS: &str = "run,step,risk\n0,0,1.0\n0,7,0.25\n";

/// Writes a minimal run folder with this title.
fn folder(dir: &Path, title: &str) -> RunFolder {
    let put = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    let toml = crate::experiment::presets()[0].text;
    let rest = toml.split_once('\n').unwrap().1;
    put("experiment.toml", &format!("title = {title:?}\n{rest}"));
    put("summary.json", SUMMARY);
    put("metrics.csv", METRICS);
    RunFolder::open(dir).unwrap()
}

fn page_of(folder: &RunFolder) -> String {
    let path = write(folder).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_page_tells_everything_and_escapes_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "A & B <script>alert(1)</script>");
    std::fs::create_dir(dir.path().join("figures")).unwrap();
    let figure = "<svg viewBox=\"0 0 1 1\"><title>risk</title></svg>";
    std::fs::write(dir.path().join("figures/risk.svg"), figure).unwrap();
    let page = page_of(&folder);
    for wanted in [
        "A &amp; B &lt;script&gt;",
        "A &lt;b&gt;GPU&lt;&#x2f;b&gt;",
        "--engine gpu",
        "--kernels tile=64",
        "widefield certify .",
        "widefield 9.9",
        figure,
        "0.2500",
        "prefers-color-scheme",
        "softmin",
    ] {
        assert!(page.contains(wanted), "no {wanted} in\n{page}");
    }
    assert!(!page.contains("<script>alert"), "{page}");
    for request in ["http:", "https:", "src=", "@import", "url("] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(request), "{request} in\n{page}");
    }
}

#[test]
fn certificates_and_claims_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "x");
    let certificate = r#"[{"run": 0, "step": 7, "kind": "margin", "lower": 0.2, "upper": 0.25, "gap": 0.05, "relative_gap": 0.2,
        "certified": true, "probes": 0, "worst_direction": [1.0, 0.0], "optimum_lower": 0.25, "optimum_upper": 0.25,
        "missing": {"direction": [0.0, 1.0], "sign": 1.0, "share": 0.5, "degrees": 90.0}}]"#;
    let put_certificate =
        |text: &str| std::fs::write(dir.path().join("certificate.json"), text).unwrap();
    put_certificate(certificate);
    let claims = r#"[{"claim": "a < b", "quantity": "risk", "passed": true, "measured": 0.5, "allowed": "≤ 1"},
        {"claim": "c", "quantity": "risk", "passed": false, "measured": null, "allowed": "≥ 2"},
        {"claim": "e", "quantity": "risk", "passed": false, "judged": false, "measured": null, "allowed": "no run has it"}]"#;
    std::fs::write(dir.path().join("verdicts.json"), claims).unwrap();
    let page = page_of(&folder);
    for wanted in [
        "Within 20.0 % of the optimum; certified.",
        "<p class=\"soft\">it has no particle with a &gt; 0 within 90° of (0.000, 1.000)",
        "1 of 3 claims of the experiment hold; 1 not judged.",
        "<td class=\"soft\">not judged</td>",
        "a &lt; b",
        "<td class=\"fail\">fail</td>",
    ] {
        assert!(page.contains(wanted), "no {wanted} in\n{page}");
    }
    assert!(!page.contains("the training went on"), "{page}");
    // For another step only the parts that do not depend on the run are shown.
    put_certificate(&certificate.replace("\"step\": 7", "\"step\": 5"));
    let page = page_of(&folder);
    assert!(
        page.contains("1 certificate is of step 5, and the training went on"),
        "{page}"
    );
    for gone in ["of the optimum; certified", "20.0 %", "no particle"] {
        assert!(!page.contains(gone), "{gone} in\n{page}");
    }
}

#[test]
fn a_damaged_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "x");
    std::fs::write(dir.path().join("certificate.json"), "[{").unwrap();
    let error = write(&folder).unwrap_err().to_string();
    assert!(error.contains("certificate.json: is damaged"), "{error}");
    std::fs::remove_file(dir.path().join("certificate.json")).unwrap();
    std::fs::remove_file(folder.metrics()).unwrap();
    let error = write(&folder).unwrap_err().to_string();
    assert!(error.contains("metrics.csv"), "{error}");
}

/// Browsers run a script only if its hash is in the page's policy.
#[test]
fn the_policy_names_the_script_of_the_page_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "x");
    let figures = dir.path().join("figures");
    std::fs::create_dir(&figures).unwrap();
    let attack = "<svg xmlns=\"http://www.w3.org/2000/svg\"><title>risk</title><script nonce=\"widefield\">evil()</script><rect onclick=\"evil()\"/></svg>";
    std::fs::write(figures.join("risk.svg"), attack).unwrap();
    std::fs::write(figures.join("broken.svg"), "<svg><g></svg>").unwrap();
    let page = page_of(&folder);
    assert!(
        page.contains("<svg><title>risk</title><rect/></svg>"),
        "{page}"
    );
    assert!(!page.contains("evil") && !page.contains("broken"), "{page}");
    let (_, rest) = page.split_once("<script>").unwrap();
    let (script, _) = rest.split_once("</script>").unwrap();
    let hashed = |script: &str| {
        let hash = STANDARD.encode(Sha256::digest(script));
        page.contains(&format!("script-src 'sha256-{hash}'; "))
    };
    assert!(hashed(script));
    assert!(!hashed(&format!("{script} ")));
    assert_eq!(page.matches("<script").count(), 1);
}
