//! Sanitises SVG files of unknown origin for inclusion in a page: only elements and attributes that draw
//! are kept, and ids are made unique. Scripts, event handlers, links, foreign content and anything that
//! loads a resource are left out.

use std::collections::HashSet;
use std::fmt::Write;

use roxmltree::{Attribute, Document, Node, ParsingOptions};

/// Elements that draw, or that drawing elements refer to.
const ELEMENTS: [&str; 24] = [
    "svg",
    "g",
    "defs",
    "title",
    "desc",
    "metadata",
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "text",
    "tspan",
    "clipPath",
    "linearGradient",
    "radialGradient",
    "stop",
    "marker",
    "mask",
    "symbol",
    "use",
    "image",
];
/// Elements that contain only text.
const WORDS: [&str; 3] = ["title", "desc", "metadata"];
/// Presentation attributes; a `style` may set them too.
const STYLE_PROPERTIES: [&str; 33] = [
    "clip-path",
    "clip-rule",
    "color",
    "dominant-baseline",
    "fill",
    "fill-opacity",
    "fill-rule",
    "font",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "letter-spacing",
    "marker-end",
    "marker-mid",
    "marker-start",
    "mask",
    "opacity",
    "paint-order",
    "shape-rendering",
    "stop-color",
    "stop-opacity",
    "stroke",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-miterlimit",
    "stroke-opacity",
    "stroke-width",
    "text-anchor",
    "text-rendering",
    "visibility",
];
/// Attributes of geometry, references and roles.
const PLACES: [&str; 38] = [
    "aria-label",
    "clipPathUnits",
    "cx",
    "cy",
    "d",
    "dx",
    "dy",
    "fx",
    "fy",
    "gradientTransform",
    "gradientUnits",
    "height",
    "markerHeight",
    "markerUnits",
    "markerWidth",
    "maskContentUnits",
    "maskUnits",
    "offset",
    "orient",
    "points",
    "preserveAspectRatio",
    "r",
    "refX",
    "refY",
    "role",
    "rotate",
    "rx",
    "ry",
    "spreadMethod",
    "transform",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];
/// Functions allowed in the value of an attribute, besides `url` of an id of the drawing.
const FUNCTIONS: [&str; 10] = [
    "hsl",
    "matrix",
    "rgb",
    "rgba",
    "rotate",
    "scale",
    "skewX",
    "skewY",
    "translate",
    "url",
];
/// Largest depth of nested elements.
const DEEPEST: usize = 32;
/// Largest number of nodes of a drawing.
const MOST_NODES: u32 = 2_000_000;
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// The svg element of a file, with this prefix before every id and every reference to an id.
///
/// # Errors
/// A message, if the text is no SVG.
pub fn inline(text: &str, prefix: &str) -> Result<String, String> {
    // An XML declaration and a document type before the element are not allowed in HTML.
    let start = text.find("<svg").ok_or("there is no svg element in it")?;
    let options = ParsingOptions {
        nodes_limit: MOST_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(&text[start..], options);
    let document = document.map_err(|e| e.to_string())?;
    let referred = |node: Node| match node.tag_name().name() {
        "use" => node.attributes().find_map(|a| Some(local(&a)?.to_owned())),
        _ => None,
    };
    let writer = Writer {
        prefix,
        used: document.descendants().filter_map(referred).collect(),
    };
    let mut svg = String::new();
    writer.element(document.root_element(), &mut svg, 0);
    match svg.is_empty() {
        true => Err("its first element is no svg element".into()),
        false => Ok(svg),
    }
}

/// The id that a reference within the drawing refers to.
fn local<'a>(attribute: &Attribute<'a, '_>) -> Option<&'a str> {
    let is_link = match attribute.namespace() {
        None => attribute.name() == "href",
        Some(space) => space == XLINK && attribute.name() == "href",
    };
    attribute.value().strip_prefix('#').filter(|_| is_link)
}

struct Writer<'a> {
    prefix: &'a str,
    /// Ids that a `use` element refers to.
    used: HashSet<String>,
}

impl Writer<'_> {
    fn element(&self, node: Node, out: &mut String, depth: usize) {
        let name = node.tag_name().name();
        let is_svg = node
            .tag_name()
            .namespace()
            .is_none_or(|space| space == "http://www.w3.org/2000/svg");
        let is_root = depth == 0;
        // A `use` within an element that another `use` draws may recurse without end.
        let repeats = name == "use"
            && node.ancestors().any(|of| {
                let id = of.attribute("id");
                id.is_some_and(|id| self.used.contains(id))
            });
        if !is_svg || !ELEMENTS.contains(&name) || is_root != (name == "svg") || repeats {
            return;
        }
        if depth > DEEPEST || (name == "metadata" && !tells_values(node)) {
            return;
        }
        out.push('<');
        out.push_str(name);
        for attribute in node.attributes() {
            self.attribute(name, &attribute, out);
        }
        let start = out.len();
        out.push('>');
        for child in node.children() {
            match child.text().filter(|_| child.is_text()) {
                Some(text) => out.push_str(&escaped(text)),
                None if child.is_element() && !WORDS.contains(&name) => {
                    self.element(child, out, depth + 1);
                }
                None => {}
            }
        }
        match out.len() == start + 1 {
            true => out.replace_range(start.., "/>"),
            false => drop_error(write!(out, "</{name}>")),
        }
    }

    fn attribute(&self, element: &str, attribute: &Attribute, out: &mut String) {
        let (name, value) = (attribute.name(), attribute.value());
        let mut put = |name: &str, value: &str| {
            let value = escaped(value).replace('"', "&quot;");
            drop_error(write!(out, " {name}=\"{value}\""));
        };
        if let Some(id) = local(attribute) {
            if ["use", "linearGradient", "radialGradient"].contains(&element) {
                put("href", &format!("#{}{id}", self.prefix));
            }
            return;
        }
        let is_picture = element == "image"
            && name == "href"
            && ["data:image/png;base64,", "data:image/jpeg;base64,"]
                .iter()
                .any(|start| value.starts_with(start));
        if is_picture {
            put("href", value);
            return;
        }
        if attribute.namespace().is_some() || !is_harmless(value) {
            return;
        }
        let value = value.replace("url(#", &format!("url(#{}", self.prefix));
        match name {
            "id" => put("id", &format!("{}{value}", self.prefix)),
            "style" => {
                let is_style = |part: &&str| {
                    let property = part.split(':').next().unwrap_or_default();
                    STYLE_PROPERTIES.contains(&property.trim())
                };
                let parts: Vec<&str> = value.split(';').filter(is_style).collect();
                put("style", &parts.join(";"));
            }
            _ if STYLE_PROPERTIES.contains(&name) || PLACES.contains(&name) => put(name, &value),
            _ => {}
        }
    }
}

/// Writing to a string cannot fail.
fn drop_error(_: std::fmt::Result) {}

/// Whether the value of an attribute is harmless: it has no function except known ones, no reference except
/// to an id of the drawing, and no escapes that could hide either.
fn is_harmless(value: &str) -> bool {
    let known = value.match_indices('(').all(|(at, _)| {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let start = value[..at].trim_end_matches(name).len();
        let function = &value[start..at];
        FUNCTIONS.contains(&function) && (function != "url" || value[at + 1..].starts_with('#'))
    });
    known && !value.contains(['\\', '@', '<']) && !value.contains("/*")
}

/// Whether a metadata element holds the values of a figure, which pages read.
fn tells_values(node: Node) -> bool {
    let parsed = serde_json::from_str::<serde_json::Value>(node.text().unwrap_or_default());
    parsed.is_ok_and(|values| values.get("panels").is_some_and(|panels| panels.is_array()))
}

/// Text with XML's special characters escaped.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_their_references_are_renamed_together() {
        let text = "<?xml version=\"1.0\"?>\n<!DOCTYPE svg>\n<svg xmlns:xlink=\"http://www.w3.org/1999/xlink\" id=\"a\"><use xlink:href=\"#b\"/><g id=\"b\" clip-path=\"url(#a)\"/></svg>";
        assert_eq!(
            inline(text, "p-").unwrap(),
            "<svg id=\"p-a\"><use href=\"#p-b\"/><g id=\"p-b\" clip-path=\"url(#p-a)\"/></svg>"
        );
    }

    #[test]
    fn what_draws_is_kept() {
        let text = "<svg width=\"9pt\" viewBox=\"0 0 1 1\" role=\"img\"><title>a &lt; b</title><metadata>{\"panels\":[]}</metadata>\n<text x=\"1\" style=\"fill: rgb(1,2,3); position: fixed\" transform=\"rotate(270, 1, 2)\">σ &amp; τ</text><image href=\"data:image/png;base64,AA==\"/></svg>";
        let kept = text.replace("; position: fixed", "");
        assert_eq!(inline(text, "p-").unwrap(), kept);
    }

    /// Each of these would run or load something in a page that included it unchanged.
    #[test]
    fn what_runs_or_loads_something_is_left_out() {
        let attacks = [
            "<script>alert(1)</script>",
            "<g><script xmlns=\"http://www.w3.org/1999/xhtml\">alert(1)</script></g>",
            "<foreignObject><iframe xmlns=\"http://www.w3.org/1999/xhtml\" src=\"http://evil\"/></foreignObject>",
            "<rect onclick=\"evil()\" onload=\"evil()\"/>",
            "<a href=\"javascript:evil()\"><rect/></a>",
            "<image href=\"http://evil/x.png\"/>",
            "<image href=\"data:image/svg+xml;base64,evil\"/>",
            "<use href=\"http://evil/x.svg#a\"/>",
            "<style>@import url(http://evil)</style>",
            "<rect style=\"fill: url(http://evil)\" fill=\"url( 'http://evil')\"/>",
            "<rect fill=\"u\\72l(http://evil)\" stroke=\"image-set(evil)\"/>",
            "<rect style=\"background: red; position: fixed; evil: 1\"/>",
            "<animate attributeName=\"href\" to=\"javascript:evil()\"/>",
            "<set attributeName=\"onclick\" to=\"evil()\"/>",
            "<title><script>alert(1)</script></title>",
            "<metadata>&lt;script&gt;alert(1)&lt;/script&gt;</metadata>",
            "<metadata><script>alert(1)</script></metadata>",
            "<text>&lt;script&gt;evil&lt;/script&gt;</text>",
            "<h:img xmlns:h=\"http://www.w3.org/1999/xhtml\" src=\"x\" onerror=\"evil()\"/>",
            "<!-- --><!--><img src=x onerror=evil()> -->",
            "<?php evil ?>",
            "<svg onload=\"evil()\"/>",
        ];
        for attack in attacks {
            let text = format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"evil()\">{attack}</svg>"
            );
            // A text that is no XML is refused.
            let Ok(svg) = inline(&text, "p-") else {
                continue;
            };
            for sign in [
                "<script",
                "alert(1)<",
                "evil(",
                "http:",
                "javascript",
                "onclick",
                "onload",
                "url(",
                "<style",
                "<foreign",
                "<img",
                "<iframe",
                "position",
                "<a",
                "<!--",
                "<?",
                "<svg o",
            ] {
                assert!(!svg.contains(sign), "{sign} of {attack} in {svg}");
            }
        }
    }

    #[test]
    fn what_grows_without_end_is_left_out() {
        let text = "<svg><g id=\"a\"><use href=\"#b\"/></g><g id=\"b\"><use href=\"#a\"/></g><use href=\"#a\"/></svg>";
        let svg = inline(text, "").unwrap();
        assert_eq!(
            svg,
            "<svg><g id=\"a\"/><g id=\"b\"/><use href=\"#a\"/></svg>"
        );
        let deep = format!(
            "<svg>{}{}</svg>",
            "<g>".repeat(100_000),
            "</g>".repeat(100_000)
        );
        assert_eq!(inline(&deep, "").unwrap().matches("<g").count(), DEEPEST);
        let bomb = "<!DOCTYPE svg [<!ENTITY a \"aaaaaaaaaa\">]><svg><text>&a;&a;</text></svg>";
        assert!(inline(bomb, "").is_err());
        assert!(inline("<html/>", "").is_err());
    }
}
