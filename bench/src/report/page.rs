//! The frame of a page that needs nothing else: its style, its colours in light and dark, and what keeps text from
//! being taken for markup.
//!
//! Nothing is fetched and no script runs, so a page can be mailed, archived and opened anywhere.

/// Colours of series; a series' class is `c` and its number modulo this.
pub const COLOURS: usize = 12;

const STYLE: &str = "
:root { color-scheme: light dark; --paper: #ffffff; --ink: #20242a; --grey: #606872; --grid: #e2e5e9;
  --alarm: #b3261e; --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b5589b; --c4: #a87900; --c5: #5b5bd6;
  --c6: #c2255c; --c7: #0c8599; --c8: #66800b; --c9: #8a5a44; --c10: #5f6b76; --c11: #1c7ed6; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e6e8eb; --grey: #9aa3ad; --grid: #2b3036;
    --alarm: #ff8a80; --c0: #56b4e9; --c1: #ff9a55; --c2: #2fc79a; --c3: #e39bd0; --c4: #e6c229; --c5: #a5a5ff;
    --c6: #ff7b9c; --c7: #4dd0e1; --c8: #b5cc4a; --c9: #d1a38a; --c10: #a9b4bf; --c11: #74c0fc; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; font-weight: 600; margin: 0 0 0.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; font-weight: 600; margin: 2.2rem 0 0.5rem; }
h3 { font-size: 0.95rem; font-weight: 600; margin: 1rem 0 0.2rem; }
p.note { color: var(--grey); margin: 0.2rem 0; }
p.alarm { color: var(--alarm); font-weight: 600; }
p.lead { font-size: 1.05rem; max-width: 52rem; }
pre { overflow-x: auto; font: 0.8rem/1.45 ui-monospace, monospace; }
figure { margin: 0; overflow-x: auto; }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.1rem 1.2rem; margin: 0 0 0.3rem; padding: 0;
  font-size: 0.85rem; color: var(--grey); }
ul.legend i { display: inline-block; width: 0.75rem; height: 0.75rem; margin-right: 0.4rem; background: var(--c); }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 0 1.5rem; }
div.wide { overflow-x: auto; width: max-content; min-width: 100%; max-width: calc(100vw - 3rem); position: relative;
  left: 50%; transform: translateX(-50%); }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 0.18rem 0.45rem; text-align: right; }
th { color: var(--grey); font-weight: 500; border-bottom: 1px solid var(--grey); }
th:first-child, td:first-child, td.name { text-align: left; }
tr.first td { border-top: 1px solid var(--grid); }
td.best { font-weight: 700; color: var(--c2); }
svg { width: 100%; height: auto; display: block; }
svg.wide { min-width: 40rem; }
svg text { fill: var(--grey); font: 12px system-ui, sans-serif; }
svg text.strong { fill: var(--ink); }
.grid { stroke: var(--grid); } .axis { stroke: var(--grey); }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.mark { fill: var(--c); } .faint { fill: var(--c); fill-opacity: 0.55; }
.thin { stroke: var(--ink); stroke-width: 1.5; }
";

/// A whole page: `body` is markup, `title` is text.
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    let mut style = STYLE.to_owned();
    for colour in 0..COLOURS {
        style.push_str(&format!(".c{colour} {{ --c: var(--c{colour}); }}\n"));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{style}</style></head>\n<body>\n<h1>{title}</h1>\n{body}</body></html>\n"
    )
}

/// Which colour is whose; nothing where there is only one. What has no name is left out.
#[must_use]
pub fn legend<'a>(names: impl Iterator<Item = (usize, &'a str)>) -> String {
    let names: Vec<_> = names.filter(|(_, name)| !name.is_empty()).collect();
    if names.len() < 2 {
        return String::new();
    }
    let items: String = names
        .into_iter()
        .map(|(colour, name)| {
            format!("<li><i class=\"c{}\"></i>{}</li>", colour % COLOURS, escape(name))
        })
        .collect();
    format!("<ul class=\"legend\">{items}</ul>")
}

/// Text that cannot be taken for markup.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_stands_alone_and_takes_text_for_text() {
        let page = page("a <b> & \"c\"", "<p>x</p>");
        assert!(page.contains("<title>a &lt;b&gt; &amp; &quot;c&quot;</title>"));
        assert!(page.contains("<p>x</p>"));
        for foreign in ["<script", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn one_series_needs_no_legend() {
        assert_eq!(legend([(0, "a")].into_iter()), "");
        assert_eq!(legend([(0, ""), (1, "")].into_iter()), "");
        let two = legend([(0, "a"), (COLOURS + 1, "<b>")].into_iter());
        assert!(two.contains("c0") && two.contains("class=\"c1\"") && two.contains("&lt;b&gt;"));
    }
}
