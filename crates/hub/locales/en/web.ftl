### The frame of every page.

web-skip = Skip to content
web-nav = Main navigation
web-settings = Settings
web-palette = Go to a page or contact
web-palette-short = Search
web-palette-hint = Search pages and contacts
web-palette-none = Nothing found. Try another word.
web-user-menu = Your account
web-user-profile = Profile
web-sign-out = Sign out
web-theme = Theme
web-theme-system = As the system
web-theme-light = Light
web-theme-dark = Dark
web-language = Language
web-keys = Keyboard shortcuts
web-keys-palette = Go to a page or contact
web-keys-search = Search this page
web-keys-close = Close
web-keys-help = Show these shortcuts
web-close = Close
web-cancel = Cancel
web-save = Save changes
web-copy = Copy
web-copied = Copied
web-field-optional = (optional)
web-field-reveal = Show what is typed
web-field-wrong = This value cannot be used. Please check it.
web-time-now = just now
web-figure-hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
web-figure-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}
web-time-minutes-ago = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
web-time-hours-ago = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
web-time-today = Today
web-time-yesterday = Yesterday
web-time-months = Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec
web-time-date = { $day } { $month }
web-time-date-with-year = { $day } { $month } { $year }
web-api-contents = Contents
web-api-bodies = Bodies
web-api-parameter = Parameter
web-api-field = Field
web-api-type = Type
web-api-meaning = Meaning
web-api-body = Body:
web-api-list = list of { $kind }
web-api-or = or
web-api-any = any
web-api-absent = { $kind } (may be absent)
web-api-one-of = One of { $words }.
web-error-home = Back to the start
web-error-back = Back
web-error-request = Request { $id }
web-error-with-request = { $detail } (request { $id })
web-error-forbidden-title = Not allowed
web-error-forbidden = Your role does not allow this. An owner of the team can do it or change your role.
web-error-not-found-title = Not found
web-error-not-found = This does not exist, or it belongs to an account that you do not work with.
web-error-conflict-title = This has changed
web-error-conflict = Something changed in the meantime. Load the page again and look before you repeat it.
web-error-internal-title = Something went wrong
web-error-internal = Something went wrong inside the hub. Try again; if it stays, tell the operator the request number.
web-error-bad-request-title = This request cannot be read
web-error-bad-request = The address or the form is not complete. Go back and try again.
error-csrf = This page is out of date. Load it again; what you typed can be sent then.
error-line-unavailable = LINE did not answer. Try again in a moment.
error-unavailable = The database does not answer. Try again in a moment.
web-user-help = Get help
web-user-site = Open the site of { $tenant }
web-user-expires = The service ends
