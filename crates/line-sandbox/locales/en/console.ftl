# The console's pages. Buttons and fields of LINE's consoles are called as LINE calls them.
console-skip = Skip to content
console-pages = Pages
console-overview = Overview
console-log = Live log
console-trouble = Trouble
console-phones = Phones side by side
console-channels = Channels
console-channel = Channel
console-settings = Settings
console-save = Save
console-saved = Saved
console-delete = Delete
console-update = Update
console-open = Open
console-search = Search
console-on = On
console-off = Off
console-none = None
console-never = Never
console-any = Any
console-all = All
console-not-done = This was not done: { $name }
console-banner-faults = { $count ->
    [one] { $count } trouble is switched on.
   *[other] { $count } troubles are switched on.
}
console-banner-clock = The sandbox’s clock is ahead. It shows
console-banner-open = Open Trouble
console-once-title = Copy this now
console-once-text = It is shown this one time only.
console-welcome-title = LINE, on your own machine
console-welcome-text = Try bots, sign-in and LIFF here. You need no account at LINE, and no real person is disturbed.
console-sample-make = Create a sample shop
console-sample-text = It makes a provider, an Official Account, a LINE Login channel, three friends and a group. You can empty the sandbox at any time.
console-or-start-empty = Or start empty
console-open-phones = Open phones
console-new-provider = Add a provider
console-provider = Provider
console-provider-name = Provider name
console-new-channel = Add a channel
console-no-channels = This provider has no channel yet.
console-channel-type = Channel type
console-channel-name = Name
console-country = Region
console-country-hint = Decides the month of the quota, the language of the default texts, and the time zone of response hours.
console-taiwan = Taiwan
console-japan = Japan
console-thailand = Thailand
console-elsewhere = Elsewhere
console-published = Published
console-developing = Developing
console-failed-lately = { $count ->
    [one] { $count } failed lately
   *[other] { $count } failed lately
}
console-all-people = See all { $count } people
console-people-lead = Everyone has a phone, and a user ID of their own at each provider.
console-search-people = Name, u1 or user ID
console-nobody-found = Nobody is called that.
console-found-more = { $count } people in all. Type a name to narrow them down.
console-display-name = Display name
console-person-language = Language of their LINE
console-status-message = Status message
console-picture-url = Picture URL
console-profile = Profile
console-is-friend = Friend
console-is-blocked = Blocked
console-is-stranger = Not a friend yet
console-user-ids = User IDs
console-user-ids-hint = The same person has another user ID at every provider.
console-tab-basics = Basic settings
console-tab-messaging = Messaging API
console-tab-keys = Keys and tokens
console-tab-responses = Response settings
console-tab-plan = Plan and quota
console-tab-friends = Friends
console-tab-login = LINE Login
console-tab-liff = LIFF
console-credentials = Credentials
console-issue-again = Reissue
console-issue-secret = Issue a new channel secret
console-secret-warning = The old secret is dead at once: signatures and stateless tokens fail until your bot has the new one. Tokens already issued keep working.
console-bot-user-id = Bot user ID
console-basic-id = Bot basic ID
console-account-type = Account type
console-account-type-hint = Only verified and premium accounts get the lists of followers and group members.
console-unverified = Unverified
console-verified = Verified
console-premium = Premium
console-webhook-settings = Webhook settings
console-webhook-url-hint = It must be https. On this machine (127.0.0.1, localhost) plain http is fine.
console-verify = Verify
console-verify-hint = Sends a signed request without events, and wants a 200.
console-use-webhook-hint = While it is off, nothing is sent and nothing is kept for later.
console-redelivery = Webhook redelivery
console-redelivery-hint = Sends again 1, 10 and 60 seconds after a failure. LINE publishes no figures; these are ours.
console-error-statistics = Error statistics
console-nothing-sent = No webhook has been sent yet.
console-all-arrived = { $count ->
    [one] The last one arrived.
   *[other] The last { $count } all arrived.
}
console-reason = Reason
console-meaning = What it means
console-count = Count
console-last-time = Last
console-show-in-log = Show them in the log
console-features = Features
console-group-chats = Allow bot to join group chats
console-group-chats-hint = While it is off, the account leaves as soon as it is invited.
console-standby = Standby
console-standby-hint = As when a module channel holds the chat: events say standby, carry no reply token, and the bot must not send.
console-reason-ok = Your server answered { $name }
console-reason-host = There is no host of this name.
console-reason-url = The address is not well formed.
console-reason-tls = The TLS handshake failed. Check that the certificate chain is complete and not expired.
console-reason-connect = Nobody answers at this address. Is your bot running, on this port?
console-reason-timeout = No answer within 2 seconds. Store the event, answer 200, then do the work.
console-reason-refused = Your server answered { $name }. Usually the signature did not match: is it this channel’s secret, and is the body untouched before the check?
console-reason-path = Your server answered { $name }. It is there, but takes no POST at this path.
console-reason-status = Your server answered { $name }. LINE wants 2xx.
console-reason-closed = The connection closed before an answer came.
console-token-long-lived = Channel access token (long-lived)
console-token-short-lived = Short-lived token (30 days)
console-token-stateless = Stateless token (15 minutes)
console-token-v21 = Token v2.1 (JWT)
console-long-lived-hint = It never ends. Issuing it again ends the one before.
console-grace = Keep the old one for
console-grace-none = End it at once
console-issue = Issue
console-live-tokens = Valid tokens
console-no-tokens = There is no valid token.
console-kind = Kind
console-issued = Issued
console-ends = Ends
console-assertion-keys = Assertion Signing Key
console-assertion-hint = The public half of the key that signs your JWTs for v2.1 and stateless tokens. Registering it gives you the kid.
console-public-key-jwk = Public key (JWK)
console-register-key = Register public key
console-response-features = Response features
console-chat-mode = Chat
console-chat-mode-hint = On: people may answer by hand in OA Manager. The webhook goes on as before.
console-read-mode = Read marks
console-read-mode-hint = Manual: a message reads as seen once your bot calls markAsRead.
console-read-auto = Automatic
console-read-manual = Manual
console-greeting = Greeting message
console-send-greeting = Send the greeting message
console-greeting-hint = Sent to new friends and to those who unblock, free of charge. LINE has it on by default, so it answers beside your bot.
console-text = Message
console-placeholders-hint = {"{Nickname}"} becomes the friend’s name, {"{AccountName}"} the account’s.
console-auto-reply = Auto-response messages
console-send-auto-reply = Send auto-response messages
console-auto-reply-hint = Answers messages in one-to-one chats, free of charge, never in groups. LINE has it on by default.
console-keywords = Keywords
console-every-message = Every message
console-keywords-hint = A message must be exactly the keyword; separate several by commas. The row without keywords answers everything else. Clear a text to delete its row.
console-response-hours = Response hours
console-hours-hint = By the time of the account’s region.
console-days = Days
console-monday = Mon
console-tuesday = Tue
console-wednesday = Wed
console-thursday = Thu
console-friday = Fri
console-saturday = Sat
console-sunday = Sun
console-from = From
console-to = To
console-auto-reply-when = Send auto-response messages
console-when-always = At any time
console-when-inside = In response hours
console-when-outside = Outside of them
console-no-hours = Stop using response hours
console-messages-of-month = Messages this month
console-no-limit = No limit
console-plan-hint = One per recipient. Replies, greetings and auto-responses are free.
console-plan-name = Plan
console-monthly-quota = Monthly quota
console-quota-hint = Leave it empty for no limit. When it is used up, pushes get a 429.
console-no-friends = No friends yet. Open somebody’s phone and add this account.
console-published-hint = While the channel is in development, only testers can log in.
console-email-permission = Email address permission
console-email-hint = The channel may ask people for their e-mail address.
console-callback-hint = One per line. It must be exactly the redirect_uri of the login.
console-linked-oa = Linked OA
console-linked-hint = The login asks people whether to add it as a friend.
console-testers = Testers
console-testers-hint = Who can log in while the channel is in development.
console-no-apps = There is no LIFF app yet.
console-new-app = Add a LIFF app
console-app-description = LIFF app name
console-app-size = Size
console-endpoint-url = Endpoint URL
console-bot-prompt = Add friend option
console-log-lead = Webhooks the sandbox sent and API calls it received, newest first.
console-log-verify = Verify (no events)
console-log-empty = Nothing has happened yet. Say something on a phone, or let your bot call the API.
console-log-none = Nothing matches.
console-live = Live
console-webhooks = Webhooks
console-api-calls = API calls
console-all-channels = All channels
console-failed-only = Failed only
console-search-log = Path or text
console-attempt = Attempt { $count }
console-older = Older entries
console-send-again = Send again
console-address = Address
console-body = Body
console-answer = Answer
console-no-answer-body = No content.
console-pick-entry = Choose an entry to see all that was said.
console-trouble-lead = How does your bot bear it when LINE and the network behave badly? Switch it on and see.
console-all-well = End all trouble
console-switch-on = Start
console-switch-off = Stop
console-trouble-twice = Webhooks arrive twice
console-trouble-twice-text = The same event with the same webhookEventId comes again. Your bot should answer once.
console-trouble-order = Webhooks arrive out of order
console-trouble-order-text = A later event overtakes an earlier one.
console-trouble-late = Webhooks arrive late
console-trouble-late-text = Each takes 5 seconds longer.
console-trouble-lost-hook = Webhooks do not arrive
console-trouble-lost-hook-text = The connection breaks. With webhook redelivery on, they are tried again.
console-trouble-500 = LINE answers 500
console-trouble-500-text = Every API call fails.
console-trouble-lost = Answers get lost
console-trouble-lost-text = The message is sent, but your bot never hears so. Retry with a retry key.
console-trouble-quota = Over quota
console-trouble-quota-text = Sending gets a 429: You have reached your monthly limit.
console-trouble-slow = LINE is slow
console-trouble-slow-text = Every API call takes 8 seconds.
console-faults-on = Trouble at work
console-no-faults = All is well.
console-own-fault = Make your own
console-fault-on = Where
console-fault-kind = Kind
console-fault-path = Path begins with
console-fault-method = Method
console-fault-status = Status
console-fault-ms = Milliseconds
console-fault-rate = Rate (0 to 1)
console-fault-times = Times
console-until-deleted = Until deleted
console-matched = { $count ->
    [one] met { $count } call
   *[other] met { $count } calls
}
console-left = { $count } left
console-clock = Clock
console-clock-hint = Reply tokens, access tokens, quotas and redeliveries age with it, without waiting.
console-plus-minute = +1 minute
console-plus-hour = +1 hour
console-plus-day = +1 day
console-plus-month = +30 days
console-start-again = Start again
console-seed = Seed
console-seed-hint = The same seed and the same acts give the same IDs.
console-empty-sandbox = Empty the sandbox…
console-reset-warning = This deletes all of the following and sets the clock back to now:
console-empty-now = Delete everything
console-count-providers = { $count ->
    [one] { $count } provider
   *[other] { $count } providers
}
console-count-channels = { $count ->
    [one] { $count } channel
   *[other] { $count } channels
}
console-count-people = { $count ->
    [one] { $count } person
   *[other] { $count } people
}
console-count-messages = { $count ->
    [one] { $count } message
   *[other] { $count } messages
}
console-count-requests = { $count ->
    [one] { $count } recorded API call
   *[other] { $count } recorded API calls
}
console-count-deliveries = { $count ->
    [one] { $count } recorded webhook
   *[other] { $count } recorded webhooks
}
console-sends = Sends to many
console-no-sends = Multicasts, narrowcasts, broadcasts, and pushes with an aggregation unit appear here.
console-send-call = Call
console-send-state = Status
console-send-recipients = Recipients
console-send-seen = Saw it
console-send-clicked = Followed a link
console-send-request = Request ID
console-send-waiting = Waiting
console-send-sending = Sending
console-send-succeeded = Sent
console-send-failed = Failed (error code { $name })
console-partner = Contract with LINE
console-partner-hint = Allows notification messages to phone numbers, marking as read by user, and stickers of one’s own.
console-traits = What LINE knows beside it
console-traits-hint = Narrowcasts choose by it, insight sums it up, notification messages find the phone number. What is unknown never matches.
console-gender = Gender
console-female = Female
console-male = Male
console-unknown = Unknown
console-age = Age
console-area = Area
console-area-hint = LINE’s code: tw_01 is Taipei, jp_13 Tokyo, th_01 Bangkok.
console-app = Phone
console-phone-number = Phone number
