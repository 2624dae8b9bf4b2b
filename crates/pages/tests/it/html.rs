//! Just enough of an HTML reader for what maud writes: well-formed, every attribute in double quotes.

/// Elements without an end.
const VOID: [&str; 8] = ["br", "hr", "img", "input", "link", "meta", "source", "wbr"];

/// A page as a list of elements in the order of their beginnings.
pub struct Html {
    pub elements: Vec<Element>,
}

pub struct Element {
    pub name: String,
    attributes: Vec<(String, String)>,
    pub parent: Option<usize>,
    /// Of it and everything in it.
    pub text: String,
}

impl Element {
    pub fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }
}

impl Html {
    pub fn read(source: &str) -> Self {
        let mut elements: Vec<Element> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut rest = source;
        while !rest.is_empty() {
            let tag_at = rest.find('<').unwrap_or(rest.len());
            let text = unescape(&rest[..tag_at]);
            for at in &open {
                elements[*at].text.push_str(&text);
            }
            rest = &rest[tag_at..];
            let Some(end) = tag_end(rest) else { break };
            let tag = &rest[1..end];
            rest = &rest[end + 1..];
            if tag.starts_with('!') {
                continue;
            }
            if let Some(name) = tag.strip_prefix('/') {
                let closed = open.pop().unwrap_or_else(|| panic!("</{name}> closes nothing"));
                assert_eq!(elements[closed].name, name, "elements cross");
                continue;
            }
            let name = tag.split(|letter: char| letter.is_whitespace() || letter == '/').next().unwrap_or_default().to_owned();
            let attributes = attributes(&tag[name.len()..]);
            let void = VOID.contains(&name.as_str());
            elements.push(Element { name, attributes, parent: open.last().copied(), text: String::new() });
            if !void {
                open.push(elements.len() - 1);
            }
        }
        assert!(open.is_empty(), "not everything is closed");
        Self { elements }
    }

    /// All of that name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// What is seen and heard, with runs of blanks made one.
    pub fn text(&self) -> String {
        self.all("main").map(|main| main.text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Whether `at` stands inside an element of that name.
    pub fn within(&self, at: usize, name: &str) -> bool {
        let mut at = self.elements[at].parent;
        while let Some(parent) = at {
            if self.elements[parent].name == name {
                return true;
            }
            at = self.elements[parent].parent;
        }
        false
    }

    /// What a screen reader calls a field: its label's text.
    pub fn label(&self, at: usize) -> Option<String> {
        let element = &self.elements[at];
        if let Some(label) = element.get("aria-label") {
            return Some(label.to_owned());
        }
        let id = element.get("id");
        let by_id = self.all("label").find(|label| id.is_some() && label.get("for") == id);
        let around = || {
            let mut up = element.parent;
            while let Some(parent) = up {
                if self.elements[parent].name == "label" {
                    return Some(&self.elements[parent]);
                }
                up = self.elements[parent].parent;
            }
            None
        };
        by_id.or_else(around).map(|label| label.text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A button, link or disabled button whose text begins so.
    pub fn control(&self, text: &str) -> Option<&Element> {
        self.elements.iter().find(|element| matches!(element.name.as_str(), "a" | "button") && element.text.trim().starts_with(text))
    }
}

/// Where a tag ends, quotes respected.
fn tag_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, letter)| {
        if letter == '"' {
            quoted = !quoted;
        }
        (letter == '>' && !quoted).then_some(at)
    })
}

fn attributes(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && rest != "/" {
        let name_end = rest.find(|letter: char| letter == '=' || letter.is_whitespace()).unwrap_or(rest.len());
        let name = rest[..name_end].to_owned();
        rest = &rest[name_end..];
        if let Some(value) = rest.strip_prefix("=\"") {
            let end = value.find('"').unwrap_or(value.len());
            found.push((name, unescape(&value[..end])));
            rest = value.get(end + 1..).unwrap_or_default();
        } else {
            found.push((name, String::new()));
        }
        rest = rest.trim_start();
    }
    found
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
