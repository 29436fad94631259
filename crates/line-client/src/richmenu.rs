//! The rich menus that a channel made through the API: found and removed (PLATFORM 10).

use line_api::api::{DefaultRichMenu, RichMenu, RichMenuAlias, RichMenuAliases, RichMenus};
use reqwest::{Method, StatusCode};

use crate::account::Account;
use crate::error::LineError;
use crate::transport::{Body, Call};

/// The menu that friends without one of their own see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultMenu {
    /// None, as far as the API tells.
    None,
    /// One that this channel set, by its ID.
    Ours(String),
    /// One that OA Manager or another channel set: LINE answers 403, and this channel cannot change it.
    Others,
}

impl Account {
    /// The menus that this channel's API made; those of OA Manager are invisible to it (PLATFORM 10).
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn rich_menus(&self) -> Result<Vec<RichMenu>, LineError> {
        let answer = self.call(Call::get("/v2/bot/richmenu/list", &[])).await?;
        Ok(answer.json::<RichMenus>().await?.richmenus)
    }

    /// The default menu. LINE answers 404 for none and 403 for one that is not this channel's (PLATFORM 10).
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn default_rich_menu(&self) -> Result<DefaultMenu, LineError> {
        let answer = self.call(Call::get("/v2/bot/user/all/richmenu", &[])).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(DefaultMenu::None),
            StatusCode::FORBIDDEN => Ok(DefaultMenu::Others),
            _ => Ok(DefaultMenu::Ours(answer.json::<DefaultRichMenu>().await?.rich_menu_id)),
        }
    }

    /// Takes the default menu away that this channel set; one of OA Manager shows again.
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn cancel_default_rich_menu(&self) -> Result<(), LineError> {
        self.call(delete("/v2/bot/user/all/richmenu", &[])).await?.done().await
    }

    /// Deletes a menu; friends who had it see the default. One that is gone already is no error. 100 an hour
    /// (PLATFORM 10).
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn delete_rich_menu(&self, id: &str) -> Result<(), LineError> {
        self.delete_if_there("/v2/bot/richmenu/{richMenuId}", id).await
    }

    /// The names by which menus switch to each other.
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn rich_menu_aliases(&self) -> Result<Vec<RichMenuAlias>, LineError> {
        let answer = self.call(Call::get("/v2/bot/richmenu/alias/list", &[])).await?;
        Ok(answer.json::<RichMenuAliases>().await?.aliases)
    }

    /// Deletes such a name; one that is gone already is no error. 100 an hour (PLATFORM 10).
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn delete_rich_menu_alias(&self, id: &str) -> Result<(), LineError> {
        self.delete_if_there("/v2/bot/richmenu/alias/{richMenuAliasId}", id).await
    }

    /// Whether LINE gives this account the list of its followers, which it does to verified and premium ones; others are
    /// answered 403 (PLATFORM 9). The list itself is not kept.
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn gives_followers(&self) -> Result<bool, LineError> {
        let call = Call { body: Body::Filter(&[("limit", "1")]), ..Call::get("/v2/bot/followers/ids", &[]) };
        let answer = self.call(call).await?;
        if answer.status() == StatusCode::FORBIDDEN {
            return Ok(false);
        }
        answer.done().await.map(|()| true)
    }

    async fn delete_if_there(&self, path: &'static str, id: &str) -> Result<(), LineError> {
        let answer = self.call(delete(path, &[id])).await?;
        if answer.status() == StatusCode::NOT_FOUND { Ok(()) } else { answer.done().await }
    }
}

fn delete<'a>(path: &'static str, values: &'a [&'a str]) -> Call<'a> {
    Call { method: Method::DELETE, ..Call::get(path, values) }
}
