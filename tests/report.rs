//! report.html in a real browser: no requests, no errors, hover values, zoom, both themes.

mod browser;
mod common;

use std::path::Path;

use browser::Browser;
use browser::figure::{drag, number_in, place_in, place_of, rulers, tip, tip_of, values, view};
use common::skip::{Missing, skip};
use common::test_folder::TestFolder;
use serde_json::{Value, json};

/// A line from (1, 0) to (100, 2), another line and a span over a logarithmic and a linear axis,
/// with the data that figures store.
const FIGURE: &str = r##"<svg viewBox="0 0 2400 1500" xmlns="http://www.w3.org/2000/svg"><title>Line</title>
<metadata>{"panels":[{"box":[400,100,1800,1100],"x":{"label":"step","scale":"log","low":1,"high":100},
"y":{"label":"risk","scale":"linear","low":0,"high":2},
"series":[{"label":"m = 8","points":[[1,0],[10,1],[100,2]]},{"label":"m = 16","points":[[1,1.5],[100,0.5]]}],
"spans":[{"label":"bounds of the optimum","low":1.7,"high":1.75}],"field":null}]}</metadata>
<rect width="2400" height="1500" fill="#ffffff"/><polyline points="400,1200 2200,100" fill="none" stroke="#0072B2" stroke-width="10"/>
<polyline points="400,375 2200,925" fill="none" stroke="#D55E00" stroke-width="10"/>
<text x="1300" y="1400" font-size="75">step</text></svg>"##;

/// Bars up and down from 0, both positive sizes, over a logarithmic axis of less than a decade.
const BARS: &str = r##"<svg viewBox="0 0 2400 1500" xmlns="http://www.w3.org/2000/svg"><title>Bars</title>
<metadata>{"panels":[{"box":[400,100,1800,1100],"x":{"label":"mass","scale":"log","low":2000,"high":8000},
"y":{"label":"share","scale":"linear","low":-0.5,"high":0.5,"mirrored":MIRRORED},
"series":[{"label":"a &gt; 0","points":[[4000,0.25]]},{"label":"a &lt; 0","points":[[4000,-0.4]]}],"spans":[],"field":null}]}</metadata>
<rect width="2400" height="1500" fill="#ffffff"/><rect x="1250" y="375" width="100" height="715" fill="#0072B2"/></svg>"##;

/// A run folder with a report, and a browser; `None`, with a message, if there is no browser.
#[track_caller]
fn setup() -> Option<(Browser, TestFolder)> {
    let Some(browser) = Browser::start() else {
        skip(
            Missing::Browser,
            "no Chromium or Chrome on the path (tests/run.sh installs one)",
        );
        return None;
    };
    let place = TestFolder::new();
    place.ok("run xor --set flow.steps=300 --set grid.seed=[1,2] --out a --engine cpu");
    place.ok("certify a");
    place.put("a/figures/aaa.svg", FIGURE);
    place.ok("report a");
    Some((browser, place))
}

/// Opens a page in both themes, wide and narrow, and expects no errors and readable text.
fn check(browser: &mut Browser, page: &Path, name: &str) {
    let mut grounds = Vec::new();
    for (theme, width) in [
        ("light", 1200),
        ("dark", 1200),
        ("light", 360),
        ("dark", 360),
    ] {
        browser.open(page, width, theme);
        browser.eval("document.querySelectorAll('details').forEach((d) => d.open = true)");
        let poor = browser.eval(include_str!("browser/contrast.js"));
        assert_eq!(poor, json!([]), "{name}, {theme}, {width}");
        let over = browser.eval("document.documentElement.scrollWidth - innerWidth");
        assert_eq!(over, json!(0), "{name}, {theme}: wider than {width}");
        assert_eq!(browser.complaints(), [""; 0], "{name}, {theme}, {width}");
        grounds.push(browser.eval("getComputedStyle(document.body).backgroundColor"));
        if let Some(shots) = std::env::var_os("WIDEFIELD_SCREENSHOTS") {
            let path = Path::new(&shots).join(format!("{name}-{theme}-{width}.png.base64"));
            std::fs::write(path, browser.screenshot()).unwrap();
        }
    }
    assert_ne!(grounds[0], grounds[1]);
}

#[test]
fn the_report_is_quiet_and_readable_in_both_themes() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    check(&mut browser, &place.path("a/report.html"), "report");
}

#[test]
fn the_page_of_verdicts_is_quiet_and_readable_in_both_themes() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    place.ok("reproduce sparse-circle plane --quick --out all --engine cpu");
    check(
        &mut browser,
        &place.path("all/reproduction.html"),
        "reproduction",
    );
}

/// The checks of requests, errors and contrast detect a page that violates them.
#[test]
fn a_faulty_page_is_caught() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    let page = std::fs::read_to_string(place.path("a/report.html")).unwrap();
    let policy = page.find("<meta http-equiv").unwrap();
    let end = policy + page[policy..].find('>').unwrap() + 1;
    let free = page.replace(&page[policy..end], "");
    let faults = [
        (&free, "<img src=\"http://127.0.0.1:9/x.png\">"),
        (&free, "<script>throw new Error('x')</script>"),
        // Requests that the page's own policy blocks are reported too.
        (&page, "<img src=\"http://127.0.0.1:9/x.png\">"),
        (&page, "<p onclick=\"\">x</p><script>alert(1)</script>"),
    ];
    for (page, fault) in faults {
        place.put(
            "faulty.html",
            &page.replace("</h1>", &format!("</h1>{fault}")),
        );
        browser.open(&place.path("faulty.html"), 1200, "light");
        assert_ne!(browser.complaints(), [""; 0], "{fault}");
    }
    let pale = page.replace("</h1>", "</h1><p style=\"color: #999\">pale</p>");
    place.put("faulty.html", &pale);
    browser.open(&place.path("faulty.html"), 1200, "light");
    let poor = browser.eval(include_str!("browser/contrast.js"));
    assert!(poor.to_string().contains("pale"), "{poor}");
}

const WHOLE: [f64; 4] = [0.0, 0.0, 2400.0, 1500.0];

#[test]
fn pointing_at_a_figure_shows_values() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    browser.open(&place.path("a/report.html"), 1200, "light");
    assert_eq!(tip(&mut browser), None);
    for (at, said) in [
        (
            (1000.0, 250.0),
            "bounds of the optimum\nrisk: 1.70000 to 1.75000",
        ),
        ((1310.0, 660.0), "m = 8\nstep: 10\nrisk: 1"),
        ((2190.0, 110.0), "m = 8\nstep: 100\nrisk: 2"),
        ((420.0, 380.0), "m = 16\nstep: 1\nrisk: 1.500"),
    ] {
        let place = place_of(&mut browser, at.0, at.1);
        browser.mouse("mouseMoved", place, Value::Null);
        assert_eq!(tip(&mut browser).as_deref(), Some(said));
    }
    // Outside the panel there is no tip.
    let outside = place_of(&mut browser, 100.0, 1450.0);
    browser.mouse("mouseMoved", outside, Value::Null);
    assert_eq!(tip(&mut browser), None);
    // The keyboard alone works too.
    browser.key("Tab");
    browser.eval("document.querySelector('#figure-aaa svg').focus()");
    assert_eq!(
        tip(&mut browser).as_deref(),
        Some("m = 16\nstep: 1\nrisk: 1.500")
    );
    browser.key("ArrowRight");
    assert_eq!(
        tip(&mut browser).as_deref(),
        Some("m = 16\nstep: 100\nrisk: 0.5000")
    );
    browser.key("ArrowUp");
    browser.key("ArrowRight");
    assert_eq!(
        tip(&mut browser).as_deref(),
        Some("m = 8\nstep: 100\nrisk: 2")
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_figure_zooms_and_comes_back() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    browser.open(&place.path("a/report.html"), 1200, "dark");
    let middle = place_of(&mut browser, 1200.0, 750.0);
    let wheel = json!({"deltaX": 0, "deltaY": -200});
    // Before a click the wheel scrolls the page.
    browser.mouse("mouseWheel", middle, wheel.clone());
    assert_eq!(view(&mut browser), WHOLE);
    let middle = place_of(&mut browser, 1200.0, 750.0);
    browser.click(middle, 1);
    browser.mouse("mouseWheel", middle, wheel);
    let zoomed = view(&mut browser);
    assert!(
        zoomed[2] < 0.7 * WHOLE[2] && zoomed[3] < 0.7 * WHOLE[3],
        "{zoomed:?}"
    );
    assert!(
        (zoomed[0] + zoomed[2] / 2.0 - 1200.0).abs() < 20.0,
        "{zoomed:?}"
    );
    // In the zoomed part, tips show the values at their positions too.
    let point = place_of(&mut browser, 1310.0, 660.0);
    browser.mouse("mouseMoved", point, Value::Null);
    assert_eq!(
        tip(&mut browser).as_deref(),
        Some("m = 8\nstep: 10\nrisk: 1")
    );
    browser.click(middle, 1);
    browser.click(middle, 2);
    assert_eq!(view(&mut browser), WHOLE);
    drag(&mut browser, "aaa", (600.0, 300.0), (1200.0, 675.0));
    let part = view(&mut browser);
    let wanted = [600.0, 300.0, 600.0, 375.0];
    assert!(
        part.iter().zip(wanted).all(|(v, w)| (v - w).abs() < 15.0),
        "{part:?}"
    );
    // The axes have left the part: their scales and names are at its edges.
    let labels = rulers(&mut browser, "aaa");
    let of = |word: &str| labels.iter().find(|(text, ..)| text == word);
    assert!(of("step").is_some() && of("risk").is_some(), "{labels:?}");
    assert!(labels.iter().all(|(_, inside, ..)| *inside), "{labels:?}");
    let [x, y] = place_of(&mut browser, 400.0 + 900.0 * 4_f64.log10(), 430.0);
    let near = |at: Option<f64>, wanted: f64| at.is_some_and(|at| (at - wanted).abs() <= 2.0);
    assert!(near(of("4").map(|t| t.2), x), "{x} {labels:?}");
    assert!(near(of("1.4").map(|t| t.3), y), "{y} {labels:?}");
    browser.key("Escape");
    assert_eq!(view(&mut browser), WHOLE);
    assert!(rulers(&mut browser, "aaa").is_empty());
    assert_eq!(browser.complaints(), [""; 0]);
}

/// A size drawn downwards is shown without a sign, in hover tips and at the edges of a zoomed part;
/// on an axis that is not mirrored it has a sign. Labels of a short logarithmic axis are at their
/// values.
#[test]
fn mirrored_axes_show_sizes() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    for (mirrored, sign) in [("true", ""), ("false", "−")] {
        place.put("a/figures/bbb.svg", &BARS.replace("MIRRORED", mirrored));
        place.ok("report a");
        browser.open(&place.path("a/report.html"), 1200, "light");
        for (y, said) in [
            (375.0, "a > 0\nmass: 4000\nshare: 0.2500".to_owned()),
            (1090.0, format!("a < 0\nmass: 4000\nshare: {sign}0.4000")),
        ] {
            let at = place_in(&mut browser, "bbb", 1300.0, y);
            browser.mouse("mouseMoved", at, Value::Null);
            assert_eq!(tip_of(&mut browser, "bbb"), Some(said));
        }
        drag(&mut browser, "bbb", (500.0, 300.0), (1700.0, 1050.0));
        let labels = rulers(&mut browser, "bbb");
        let signed = labels.iter().filter(|(word, ..)| word.starts_with('−'));
        assert_eq!(signed.count() > 0, mirrored == "false", "{labels:?}");
        assert!(labels.iter().any(|(word, ..)| word == "0.2"), "{labels:?}");
        // On log₂ from 2000 to 8000, 3000 is at 0.29 of the axis.
        let [x, _] = place_in(
            &mut browser,
            "bbb",
            400.0 + 1800.0 * 1.5_f64.log2() / 2.0,
            650.0,
        );
        let word = labels.iter().find(|(word, ..)| word == "3000");
        assert!(
            word.is_some_and(|(_, _, at, _)| (at - x).abs() <= 2.0),
            "{x} {labels:?}"
        );
        assert_eq!(browser.complaints(), [""; 0]);
    }
}

/// The figures that the program draws, each with the values that it shows.
#[test]
fn every_figure_of_a_run_shows_its_values() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    browser.open(&place.path("a/report.html"), 1200, "light");
    browser.key("Tab");
    let tips = browser.eval(
        "[...document.querySelectorAll('figure')].map((figure) => {
            figure.querySelector('svg').focus();
            const tip = figure.querySelector('.tip');
            return [figure.id, tip.hidden ? '' : tip.textContent];
        })",
    );
    let tips: Vec<(String, String)> = serde_json::from_value(tips).unwrap();
    assert!(tips.len() > 5, "{tips:?}");
    for (name, values) in &tips {
        assert!(
            values.contains(": "),
            "{name} shows {values:?}, of {tips:?}"
        );
    }
    let of = |name: &str| &tips.iter().find(|(id, _)| id == name).unwrap().1;
    assert!(of("figure-risk").contains("step k: "), "{tips:?}");
    assert_eq!(browser.complaints(), [""; 0]);
    place.ok("run width-asymptotics --quick --out w --engine cpu");
    browser.open(&place.path("w/report.html"), 1200, "light");
    browser.key("Tab");
    browser.eval("document.querySelector('#figure-widths svg').focus()");
    let tip = tip_of(&mut browser, "widths").unwrap();
    for words in ["width m: 64", "variance of f: "] {
        assert!(tip.contains(words), "{tip}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Between the samples a map shows f, equal to the program's predictions.
#[test]
fn a_map_tells_the_function_under_the_pointer() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    browser.open(&place.path("a/report.html"), 1200, "light");
    let panel = values(&mut browser, "predictor")["panels"][0].clone();
    let number = |k: usize| panel["box"][k].as_f64().unwrap();
    let most = panel["field"]["values"].as_array().unwrap().iter();
    let most = most.map(|v| v.as_f64().unwrap().abs()).fold(0.0, f64::max);
    let [left, top, width, height] = [0, 1, 2, 3].map(number);
    for (u, v) in [(0.72, 0.45), (0.31, 0.22)] {
        let at = place_in(
            &mut browser,
            "predictor",
            left + u * width,
            top + v * height,
        );
        browser.mouse("mouseMoved", at, Value::Null);
        let tip = tip_of(&mut browser, "predictor").unwrap();
        let (x, y, f) = (
            number_in(&tip, "x₁: "),
            number_in(&tip, "x₂: "),
            number_in(&tip, "f(x): "),
        );
        place.put("new.csv", &format!("x0,x1\n{x},{y}\n"));
        let predicted = place.ok("predict a --data new.csv");
        let predicted: f64 = predicted.lines().last().unwrap().parse().unwrap();
        let close = |f: f64| (f - predicted).abs() <= 0.02 * most;
        assert!(close(f), "{tip}: {predicted}");
        // The check sees a value of another place.
        assert!(!close(-f), "{tip}: {predicted}");
    }
    // On a sample the tip shows the sample and its f.
    let series = panel["series"].as_array().unwrap();
    let sample = series.iter().find(|s| s["label"] == "label +1").unwrap();
    let share = |axis: &str, k: usize| {
        let [low, high] = ["low", "high"].map(|end| panel[axis][end].as_f64().unwrap());
        (sample["points"][0][k].as_f64().unwrap() - low) / (high - low)
    };
    let (x, y) = (
        left + share("x", 0) * width,
        top + (1.0 - share("y", 1)) * height,
    );
    let at = place_in(&mut browser, "predictor", x + 8.0, y);
    browser.mouse("mouseMoved", at, Value::Null);
    let tip = tip_of(&mut browser, "predictor").unwrap();
    assert!(tip.starts_with("label +1\n"), "{tip}");
    assert!(number_in(&tip, "f(x): ") > 0.5 * most, "{tip}");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn bounds_are_shown_under_the_pointer() {
    let Some((mut browser, place)) = setup() else {
        return;
    };
    browser.open(&place.path("a/report.html"), 1200, "light");
    for (figure, words) in [
        ("margins", "bounds of the optimum\nmargin_f1: 0.250000"),
        ("variation", "γ₁\nV(θ): 0.250000"),
    ] {
        let panel = values(&mut browser, figure)["panels"][0].clone();
        let of = |pointer: &str| panel.pointer(pointer).unwrap().as_f64().unwrap();
        let spans = panel["spans"].as_array().unwrap();
        let high = spans.iter().map(|span| span["high"].as_f64().unwrap());
        let high = high.fold(f64::NEG_INFINITY, f64::max);
        let share = (high - of("/y/low")) / (of("/y/high") - of("/y/low"));
        let y = of("/box/1") + (1.0 - share) * of("/box/3");
        // Not all of it is near a curve.
        let across = (1..20).any(|k| {
            let x = of("/box/0") + of("/box/2") * f64::from(k) / 20.0;
            let at = place_in(&mut browser, figure, x, y);
            browser.mouse("mouseMoved", at, Value::Null);
            tip_of(&mut browser, figure).is_some_and(|tip| tip.starts_with(words))
        });
        assert!(across, "{figure}: {panel}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}
