//! Figures on a page: positions of their points, and the values that they show.

use serde_json::{Value, json};

use super::Browser;

/// Position of a point of a figure in the window.
pub fn place_in(browser: &mut Browser, figure: &str, x: f64, y: f64) -> [f64; 2] {
    let place = browser.eval(&format!(
        "(() => {{ const svg = document.querySelector('#figure-{figure} svg'); svg.scrollIntoView({{ block: 'center' }});
        const p = new DOMPoint({x}, {y}).matrixTransform(svg.getScreenCTM()); return [p.x, p.y]; }})()"
    ));
    [0, 1].map(|k| place[k].as_f64().unwrap())
}

pub fn place_of(browser: &mut Browser, x: f64, y: f64) -> [f64; 2] {
    place_in(browser, "aaa", x, y)
}

pub fn tip_of(browser: &mut Browser, figure: &str) -> Option<String> {
    let text = browser.eval(&format!(
        "(() => {{ const t = document.querySelector('#figure-{figure} .tip'); return t.hidden ? null : t.textContent; }})()"
    ));
    text.as_str().map(str::to_owned)
}

pub fn tip(browser: &mut Browser) -> Option<String> {
    tip_of(browser, "aaa")
}

/// The values that a figure stores for its hover tips.
pub fn values(browser: &mut Browser, figure: &str) -> Value {
    browser.eval(&format!(
        "JSON.parse(document.querySelector('#figure-{figure} metadata').textContent)"
    ))
}

pub fn view(browser: &mut Browser) -> Vec<f64> {
    let text = browser.eval("document.querySelector('#figure-aaa svg').getAttribute('viewBox')");
    let numbers = text
        .as_str()
        .unwrap()
        .split(' ')
        .map(|v| v.parse().unwrap());
    numbers.collect()
}

/// A number in a line of a tip.
pub fn number_in(tip: &str, name: &str) -> f64 {
    let line = tip.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap_or_else(|| panic!("no {name} in {tip}"));
    number.replace('−', "-").parse().unwrap()
}

/// Drags a rectangle over a part of a figure.
pub fn drag(browser: &mut Browser, figure: &str, from: (f64, f64), to: (f64, f64)) {
    let [from, to] = [from, to].map(|(x, y)| place_in(browser, figure, x, y));
    let pressed = || json!({"button": "left", "clickCount": 1});
    browser.mouse("mousePressed", from, pressed());
    browser.mouse("mouseMoved", to, json!({"button": "left", "buttons": 1}));
    browser.mouse("mouseReleased", to, pressed());
}

/// Labels at the edges of a zoomed figure: the text, whether it is inside the figure, and its
/// centre in the window.
pub fn rulers(browser: &mut Browser, figure: &str) -> Vec<(String, bool, f64, f64)> {
    let labels = browser.eval(&format!(
        "(() => {{ const svg = document.querySelector('#figure-{figure} svg'), whole = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('.rulers text')].map((text) => {{
            const box = text.getBoundingClientRect();
            const inside = box.left >= whole.left && box.right <= whole.right && box.top >= whole.top && box.bottom <= whole.bottom;
            return [text.textContent, inside, box.left + box.width / 2, box.top + box.height / 2];
        }}); }})()"
    ));
    serde_json::from_value(labels).unwrap()
}
