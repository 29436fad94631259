//! Template messages (PLATFORM 19): buttons, confirm, carousel, image carousel.

use crate::html::Tag;
use crate::media::PICTURE;
use crate::{Draw, action, read, style, url};
use serde_json::Value;

impl Draw<'_> {
    pub(crate) fn template(&mut self, message: &Value) {
        let template = message.get("template").unwrap_or(&Value::Null);
        let alt = read::text(message, "altText");
        let root = self.root("template", "lv-template").attr("role", "group").attr_if("aria-label", alt);
        self.html.open(root);
        match read::text(template, "type") {
            "buttons" => self.column(template, template),
            "confirm" => self.confirm(template),
            "carousel" => self.columns(template, alt, |draw, column| draw.column(column, template)),
            "image_carousel" => self.columns(template, alt, Self::image_column),
            _ => self.unsupported(),
        }
        self.html.close("div");
    }

    /// At most 10 columns side by side, which scroll.
    fn columns(&mut self, template: &Value, alt: &str, mut column: impl FnMut(&mut Self, &Value)) {
        let list = Tag::new("div", "lv-carousel").attr("role", "list").attr("tabindex", "0");
        self.html.open(list.attr_if("aria-label", alt));
        for each in read::items(template, "columns").iter().take(10) {
            self.html.open(Tag::new("div", "lv-carousel-item").attr("role", "listitem"));
            column(self, each);
            self.html.close("div");
        }
        self.html.close("div");
    }

    /// A buttons template or one column of a carousel; `image` is the object that says how pictures look.
    fn column(&mut self, column: &Value, image: &Value) {
        self.html.open(Tag::new("div", "lv-card lv-column"));
        self.tappable(Tag::new("div", "lv-column-main"), column.get("defaultAction"), |draw| {
            let square = read::text(image, "imageAspectRatio") == "square";
            let contain = read::text(image, "imageSize") == "contain";
            let frame = Tag::new("div", "lv-thumb")
                .keyword("", square.then_some("lv-square"))
                .keyword("", contain.then_some("lv-contain"))
                .css("background-color", style::colour(column, "imageBackgroundColor"));
            draw.outside_picture(read::text(column, "thumbnailImageUrl"), frame);
            draw.html.open(Tag::new("div", "lv-card-text"));
            if !read::text(column, "title").is_empty() {
                draw.html
                    .leaf(Tag::new("p", "lv-card-title").attr("dir", "auto"), read::text(column, "title"));
            }
            draw.html.leaf(Tag::new("p", "lv-card-words").attr("dir", "auto"), read::text(column, "text"));
            draw.html.close("div");
        });
        self.card_actions("lv-card-actions", read::items(column, "actions"), 4);
        self.html.close("div");
    }

    fn confirm(&mut self, template: &Value) {
        self.html.open(Tag::new("div", "lv-card lv-confirm"));
        self.html.open(Tag::new("div", "lv-card-text"));
        self.html.leaf(Tag::new("p", "lv-card-words").attr("dir", "auto"), read::text(template, "text"));
        self.html.close("div");
        self.card_actions("lv-card-actions lv-side-by-side", read::items(template, "actions"), 2);
        self.html.close("div");
    }

    fn card_actions(&mut self, class: &'static str, actions: &[Value], most: usize) {
        self.html.open(Tag::new("div", class));
        for each in actions.iter().take(most) {
            let tag = self.action_tag(each, "lv-card-action");
            self.html.leaf(tag, action::label(each));
        }
        self.html.close("div");
    }

    fn image_column(&mut self, column: &Value) {
        let press = column.get("action").unwrap_or(&Value::Null);
        self.tappable(Tag::new("div", "lv-card lv-image-column"), Some(press), |draw| {
            draw.outside_picture(read::text(column, "imageUrl"), Tag::new("div", "lv-thumb lv-square"));
            if !read::text(press, "label").is_empty() {
                draw.html.leaf(Tag::new("span", "lv-pill"), read::text(press, "label"));
            }
        });
    }

    /// A picture by outside address in its frame, or the placeholder; nothing if there is no address.
    fn outside_picture(&mut self, address: &str, frame: Tag) {
        let Some(address) = url::web(address) else { return };
        self.html.open(frame);
        if self.view.external_media {
            self.picture(Tag::new("img", "lv-fill"), address, "");
        } else {
            self.placeholder(PICTURE, &self.view.labels.image, Some(address));
        }
        self.html.close("div");
    }
}

#[cfg(test)]
mod tests {
    use crate::message;
    use crate::testing::{inert, phone};
    use serde_json::json;

    #[test]
    fn a_buttons_template_has_its_parts() {
        let value = json!({"type": "template", "altText": "Menu", "template": {"type": "buttons",
            "thumbnailImageUrl": "https://example.com/a.jpg", "imageAspectRatio": "square", "imageSize": "contain",
            "imageBackgroundColor": "#FFEEDD", "title": "Lunch", "text": "Today",
            "defaultAction": {"type": "uri", "label": "All", "uri": "https://example.com"},
            "actions": [{"type": "message", "label": "Order", "text": "I order"}]}});
        insta::assert_snapshot!(message(&value, &phone()), @r#"<div class="lv lv-at-phone lv-template" data-lv-kind="template" role="group" aria-label="Menu"><div class="lv-card lv-column"><div class="lv-column-main"><a class="lv-tap lv-do" href="https://example.com" target="_blank" rel="noopener noreferrer nofollow" data-lv-type="uri" aria-label="All"></a><div class="lv-thumb lv-square lv-contain" data-lv-css="background-color:#ffeedd"><img class="lv-fill" src="https://example.com/a.jpg" alt="" loading="lazy" referrerpolicy="no-referrer"></div><div class="lv-card-text"><p class="lv-card-title" dir="auto">Lunch</p><p class="lv-card-words" dir="auto">Today</p></div></div><div class="lv-card-actions"><button class="lv-card-action lv-do" type="button" data-lv-type="message" data-lv-action="{&quot;label&quot;:&quot;Order&quot;,&quot;text&quot;:&quot;I order&quot;,&quot;type&quot;:&quot;message&quot;}">Order</button></div></div></div>"#);
        insta::assert_snapshot!(message(&value, &inert()), @r#"<div class="lv lv-at-inbox lv-template" data-lv-kind="template" role="group" aria-label="Menu"><div class="lv-card lv-column"><div class="lv-column-main"><a class="lv-tap lv-do" href="https://example.com" target="_blank" rel="noopener noreferrer nofollow" data-lv-type="uri" aria-label="All"></a><div class="lv-thumb lv-square lv-contain" data-lv-css="background-color:#ffeedd"><span class="lv-hole"><svg class="lv-icon" viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="4.5" width="18" height="15" rx="2"/><path d="m4 17 5-5.5 4 4.5 2.5-2.5L20 17.5"/><circle cx="15.5" cy="9" r="1.5"/></svg><span class="lv-hole-name">Photo</span></span></div><div class="lv-card-text"><p class="lv-card-title" dir="auto">Lunch</p><p class="lv-card-words" dir="auto">Today</p></div></div><div class="lv-card-actions"><span class="lv-card-action">Order</span></div></div></div>"#);
    }

    #[test]
    fn limits_of_each_template_hold() {
        // PLATFORM 19: 4 actions, 2 for confirm, 10 columns.
        let action = json!({"type": "message", "label": "L", "text": "T"});
        let actions = vec![action.clone(); 9];
        let draw =
            |template| message(&json!({"type": "template", "altText": "A", "template": template}), &phone());
        let buttons = draw(json!({"type": "buttons", "text": "T", "actions": actions}));
        assert_eq!(buttons.matches("lv-card-action lv-do").count(), 4);
        let confirm = draw(json!({"type": "confirm", "text": "T", "actions": actions}));
        assert_eq!(confirm.matches("lv-card-action lv-do").count(), 2);
        let carousel =
            draw(json!({"type": "carousel", "columns": vec![json!({"text": "T", "actions": actions}); 12]}));
        assert_eq!(carousel.matches("role=\"listitem\"").count(), 10);
        let images = draw(json!({"type": "image_carousel",
            "columns": vec![json!({"imageUrl": "https://example.com/1", "action": action}); 12]}));
        assert_eq!(images.matches("lv-pill").count(), 10);
        assert!(draw(json!({"type": "hologram"})).contains("lv-unsupported"));
        assert!(draw(json!(7)).contains("lv-unsupported"));
    }
}
