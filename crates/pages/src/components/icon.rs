//! Icons: symbols of one SVG file, drawn in the colour of the text around them. Always with a word beside them.

use maud::{Markup, html};

use crate::assets;

macro_rules! icons {
    ($($name:ident = $id:literal),* $(,)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Icon { $($name),* }

        impl Icon {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The symbol's id in `icons.svg`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }
        }
    };
}

icons! {
    Overview = "layout-dashboard", Backups = "archive", Schedules = "calendar-clock", Restores = "history", Locations = "hard-drive",
    Timeline = "chart-gantt", Services = "server", Jobs = "list-checks", Alerts = "bell", Settings = "settings",
    Check = "check", Cross = "x", Ok = "circle-check", Failed = "circle-x", Attention = "triangle-alert", Clock = "clock",
    Working = "loader-circle", Unknown = "circle-help", Pending = "circle-dashed", Cancelled = "ban", Copy = "copy", Plus = "plus",
    Minus = "minus", Right = "chevron-right", Left = "chevron-left", Down = "chevron-down", Search = "search", Sun = "sun", Moon = "moon",
    System = "monitor", Menu = "menu", SignOut = "log-out", External = "external-link", Play = "play", Pause = "pause", Delete = "trash-2",
    Edit = "pencil", More = "ellipsis-vertical", Info = "info", Protected = "shield-check", AtRisk = "shield-alert",
    Unprotected = "shield-off", ProtectionUnknown = "shield-question-mark", Lock = "lock", Key = "key-round", User = "user",
    Users = "users", Arrow = "arrow-right", Back = "arrow-left", Terminal = "terminal", ZoomIn = "zoom-in", ZoomOut = "zoom-out",
    Refresh = "refresh-cw", File = "file-text", Log = "scroll-text", Mail = "mail", Webhook = "webhook", Filter = "funnel",
    Waiting = "hourglass", Run = "circle-play", See = "eye", Restore = "rotate-ccw", Database = "database", Silenced = "bell-off",
    Flag = "flag",
}

/// Decoration: hidden from screen readers, so a word must stand beside it.
pub fn icon(icon: Icon) -> Markup {
    let href = format!("{}#{}", assets::url("icons.svg"), icon.id());
    html! { svg.icon aria-hidden="true" width="16" height="16" { use href=(href) {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_is_in_the_sprite() {
        let sprite = include_str!("../../assets/icons.svg");
        for icon in Icon::ALL {
            assert!(sprite.contains(&format!("id=\"{}\"", icon.id())), "{icon:?}");
        }
    }
}
