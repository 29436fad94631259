//! Who works in the tenant: inviting, roles, the accounts of agents, disabling.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{Id as _, UserId};
use crate::team::model::{Invitation, Member, Role};
use crate::team::{Viewer, service};
use crate::web::{Fields, FormState, Page, Ui, redirect_with_toast};

const ADDRESS: &str = "/settings/people";

#[derive(Debug, Template)]
#[template(path = "people.html")]
pub(super) struct People {
    ui: Ui,
    members: Vec<Member>,
    invitations: Vec<Invitation>,
    /// Id and name of what can be granted.
    accounts: Vec<(String, String)>,
    /// The reader, who cannot disable themselves.
    me: String,
    form: FormState,
    /// The role and accounts chosen in the form.
    chosen: (Role, Vec<String>),
    /// Address and link of a new invitation, shown once.
    invited: Option<(String, String)>,
}

impl People {
    async fn new(hub: &Hub, ui: Ui, viewer: &Viewer) -> AppResult<Self> {
        let scope = viewer.scope();
        Ok(Self {
            ui,
            members: service::members(hub, &scope).await?,
            invitations: service::invitations(hub, &scope).await?,
            accounts: service::grantable_accounts(hub, &scope).await?,
            me: viewer.id.to_string(),
            form: FormState::new(),
            chosen: (Role::Agent, Vec::new()),
            invited: None,
        })
    }

    /// The names of a member's accounts.
    fn accounts_of(&self, member: &Member) -> String {
        let granted = self.accounts.iter().filter(|(id, _)| member.account_ids.contains(id));
        granted.map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(" · ")
    }
}

pub(super) async fn show(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Page<People>> {
    viewer.require_owner()?;
    People::new(&hub, ui, &viewer).await.map(Page)
}

/// The role and the accounts of a form; what is no role is the lesser one.
fn chosen(fields: &Fields) -> (Role, Vec<String>) {
    (Role::parse(fields.text("role")).unwrap_or(Role::Agent), fields.all("account"))
}

pub(super) async fn invite(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let (role, accounts) = chosen(&fields);
    let email = fields.text("email");
    match service::invite(&hub, &viewer.scope(), email, role, &accounts, &viewer.actor()).await {
        Ok(link) => {
            let invited = Some((email.trim().to_lowercase(), link));
            Ok(Page(People { invited, ..People::new(&hub, ui, &viewer).await? }).into_response())
        }
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let form = FormState::new().with("email", email).refused("team-error", &error.fields);
            let page = People { form, chosen: (role, accounts), ..People::new(&hub, ui, &viewer).await? };
            Ok((error.status, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

/// Ends an invitation that nobody has taken.
pub(super) async fn withdraw(State(hub): State<Hub>, viewer: Viewer, fields: Fields) -> AppResult<Response> {
    viewer.require_owner()?;
    let email = fields.text("email");
    service::withdraw_invitation(&hub, &viewer.scope(), email, &viewer.actor()).await?;
    Ok(redirect_with_toast(&hub.config, ADDRESS, "team-toast-withdrawn"))
}

fn user(id: &str) -> AppResult<UserId> {
    UserId::parse(id).ok_or_else(|| AppError::not_found("user"))
}

pub(super) async fn change(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let (role, accounts) = chosen(&fields);
    service::change_member(&hub, &viewer.scope(), &user(&id)?, role, &accounts, &viewer.actor()).await?;
    Ok(redirect_with_toast(&hub.config, ADDRESS, "team-toast-saved"))
}

pub(super) async fn disable(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    set_disabled(&hub, &viewer, &id, true, "team-toast-disabled").await
}

pub(super) async fn enable(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    set_disabled(&hub, &viewer, &id, false, "team-toast-enabled").await
}

async fn set_disabled(
    hub: &Hub,
    viewer: &Viewer,
    id: &str,
    disabled: bool,
    toast: &'static str,
) -> AppResult<Response> {
    viewer.require_owner()?;
    service::set_disabled(hub, &viewer.scope(), &user(id)?, disabled, &viewer.actor()).await?;
    Ok(redirect_with_toast(&hub.config, ADDRESS, toast))
}

#[cfg(test)]
pub(super) fn samples(ui: &Ui) -> Vec<People> {
    use crate::clock::{Entropy, Timestamp};

    let (now, entropy) = (Timestamp(1_767_225_600_000), Entropy::seeded(1));
    let member = |name: &str, role, accounts: &[&str], seen, is_disabled| Member {
        id: UserId::new(now, &entropy),
        email: format!("{}@example.tw", name.to_lowercase().replace(' ', ".")),
        name: name.to_owned(),
        role,
        account_ids: accounts.iter().map(|id| (*id).to_owned()).collect(),
        last_seen_at: seen,
        is_disabled,
    };
    let mei = member("林小美", Role::Owner, &[], Some(now), false);
    let me = mei.id.to_string();
    let members = vec![
        mei,
        member("Ana <script>", Role::Agent, &["acc_1"], Some(Timestamp(now.0 - 7_200_000)), false),
        member("Wolfeschlegelsteinhausenbergerdorff Somchai", Role::Agent, &[], None, true),
    ];
    let invitations =
        vec![Invitation { email: "new@example.tw".to_owned(), role: Role::Agent, expires_at: now }];
    let accounts = vec![("acc_1".to_owned(), "山茶屋".to_owned()), ("acc_2".to_owned(), "茶葉蛋".to_owned())];
    let page = |members, invitations, accounts, invited, form| People {
        ui: ui.clone(),
        members,
        invitations,
        accounts,
        me: me.clone(),
        form,
        chosen: (Role::Agent, Vec::new()),
        invited,
    };
    let link = Some(("new@example.tw".to_owned(), "https://hub.example.tw/welcome/token".to_owned()));
    let wrong = FormState::new().with("email", "x").wrong("email", "team-error-email-wrong");
    vec![
        page(members, invitations, accounts, link, FormState::new()),
        page(Vec::new(), Vec::new(), Vec::new(), None, wrong),
    ]
}
