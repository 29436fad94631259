//! LINE's limits, by the section of PLATFORM that states them. "Units" are UTF-16 code units, "graphemes" are
//! user-perceived characters (PLATFORM 5, "Character counting").

/// Messages in one send (1).
pub const MESSAGES_PER_CALL: usize = 5;
/// User ids in one multicast (1).
pub const MULTICAST_RECIPIENTS: usize = 500;
/// Bytes of a request body (1).
pub const BODY_BYTES: usize = 2 * 1024 * 1024;
/// Units of any address in a body (5).
pub const URL: usize = 2000;

/// Units of a text message (19).
pub const TEXT: usize = 5000;
/// LINE emojis in a text message (19).
pub const TEXT_EMOJIS: usize = 20;
/// Keys of `substitution` in a textV2 message (19).
pub const SUBSTITUTIONS: usize = 100;
/// Mentions in a textV2 message (19).
pub const MENTIONS: usize = 20;
/// Characters of a key of `substitution` (19).
pub const SUBSTITUTION_KEY: usize = 20;
/// Units of an alternative text (19, 21).
pub const ALT_TEXT: usize = 1500;
/// Units of a location's title, and of its address (19).
pub const LOCATION_TEXT: usize = 100;
/// Units of a video's tracking id (19).
pub const TRACKING_ID: usize = 100;
/// Units of a coupon's delivery tag (19).
pub const DELIVERY_TAG: usize = 30;
/// Units of a sender's name (19).
pub const SENDER_NAME: usize = 20;
/// Quick reply buttons (19).
pub const QUICK_REPLY_ITEMS: usize = 13;

/// The width to which an imagemap's areas refer, in pixels (19).
pub const IMAGEMAP_WIDTH: i64 = 1040;
/// Actions of an imagemap (19).
pub const IMAGEMAP_ACTIONS: usize = 50;
/// Units of the text that an imagemap's message action sends (19).
pub const IMAGEMAP_TEXT: usize = 400;
/// Units of an imagemap action's label (19).
pub const IMAGEMAP_LABEL: usize = 100;
/// Units of the label of the link after an imagemap's video (19).
pub const IMAGEMAP_VIDEO_LABEL: usize = 30;

/// Actions of a buttons template (19).
pub const BUTTONS_ACTIONS: usize = 4;
/// Graphemes of a buttons template's text without picture and title (19).
pub const BUTTONS_TEXT: usize = 160;
/// Actions of a confirm template: exactly so many (19).
pub const CONFIRM_ACTIONS: usize = 2;
/// Graphemes of a confirm template's text (19).
pub const CONFIRM_TEXT: usize = 240;
/// Columns of a carousel, and of an image carousel (19).
pub const CAROUSEL_COLUMNS: usize = 10;
/// Actions of a carousel's column (19).
pub const CAROUSEL_ACTIONS: usize = 3;
/// Graphemes of a column's text without picture and title (19).
pub const CAROUSEL_TEXT: usize = 120;
/// Graphemes of a template's or column's text beside a picture or title (19).
pub const TEMPLATE_TEXT_WITH_TITLE: usize = 60;
/// Graphemes of a template's or column's title (19).
pub const TEMPLATE_TITLE: usize = 40;

/// Graphemes of a label in templates, quick replies and rich menus (20).
pub const LABEL: usize = 20;
/// Graphemes of a label in an image carousel (20).
pub const LABEL_IMAGE_CAROUSEL: usize = 12;
/// Graphemes of a label in Flex (20).
pub const LABEL_FLEX: usize = 40;
/// Units of an action's `data` (20).
pub const ACTION_DATA: usize = 300;
/// Graphemes of a message action's `text`, and of a postback's `displayText`, `text` and `fillInText` (20).
pub const ACTION_TEXT: usize = 300;
/// Units of an action's `uri` (20).
pub const ACTION_URI: usize = 1000;
/// Units of the text that a clipboard action copies (20).
pub const CLIPBOARD_TEXT: usize = 1000;

/// Bytes of a bubble's JSON (21).
pub const BUBBLE_BYTES: usize = 30 * 1024;
/// Bytes of a carousel's JSON (21).
pub const CAROUSEL_BYTES: usize = 50 * 1024;
/// Bubbles of a carousel (21).
pub const BUBBLES: usize = 12;
/// Animated pictures in one Flex Message (21).
pub const ANIMATED_IMAGES: usize = 10;

/// Graphemes of a rich menu's name (10).
pub const RICH_MENU_NAME: usize = 300;
/// Graphemes of the text in the bar under a rich menu (10).
pub const RICH_MENU_BAR: usize = 14;
/// Areas of a rich menu (10).
pub const RICH_MENU_AREAS: usize = 20;
/// The narrowest and the widest rich menu in pixels (10).
pub const RICH_MENU_WIDTH: (i64, i64) = (800, 2500);
/// The lowest rich menu in pixels (10), and the highest that width and proportion allow.
pub const RICH_MENU_HEIGHT: (i64, i64) = (250, 1724);
/// Bytes of a rich menu's image (10).
pub const RICH_MENU_IMAGE_BYTES: usize = 1024 * 1024;
/// Rich menus made by API for one account, and likewise aliases (10).
pub const RICH_MENUS: usize = 1000;
/// User ids in one bulk link or unlink (10).
pub const RICH_MENU_BULK: usize = 500;
/// Operations of a rich menu batch (10).
pub const RICH_MENU_BATCH: usize = 1000;
