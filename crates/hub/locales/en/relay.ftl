relay-title = Relay
relay-lede = LINE calls one address. Trunkline passes what comes in on to these systems; trouble with one holds back none of the others.
relay-add = Add relay system
relay-add-now = Add
relay-edit = Edit
relay-edit-name = Edit { $name }
relay-save = Save changes
relay-empty-title = One webhook, many systems
relay-empty-detail = A CRM, a chatbot and an order system all want LINE's events, but LINE knows only one webhook URL. Add them here: each gets the events, without a change to its code.
relay-empty-exact = With LINE's signature chosen, content and signature are exactly what LINE sent: existing bots work as they are.
relay-empty-retry = When a system is down, it is tried again for over 24 hours, each chat in its order.
relay-empty-log = Every failure is logged, and can be opened, retried or sent again.
relay-picture = LINE sends to Trunkline, which passes on to a CRM, a bot and an ERP
relay-picture-bot = Bot
relay-before = Before, LINE sent the events to this address
relay-before-detail = Added here, the bot behind it goes on getting exactly the same events.
relay-before-add = Add it
relay-gone = This account is not connected
relay-gone-detail = Nothing comes in and nothing is passed on. After connecting again it goes on where it stopped.
relay-full = This account has { $count } relay systems, the most it may have
relay-full-detail = Delete one that is no longer needed. More are allowed by the operator, who runs this server (TRUNKLINE_DESTINATIONS_MAX).
relay-full-agent = An owner can delete one that is no longer needed. More are allowed by the operator, who runs this server (TRUNKLINE_DESTINATIONS_MAX).
relay-back = Back to the list
relay-used = { $used } of { $most } used.
relay-stale = This was changed meanwhile
relay-stale-detail = Nothing of yours is saved yet: the form holds what you typed. Compare, then save again or cancel.
relay-stale-now = Now different from what you typed
relay-is-on = On
relay-is-off = Off
relay-state-healthy = Healthy
relay-state-unsteady = Healthy, with failures lately
relay-state-untried = No events yet
relay-state-sending = Sending again
relay-state-refusing = Refuses
relay-state-unreached = Not reached
relay-state-retrying = Retrying
relay-state-off = Paused
relay-state-failing = Failing
relay-state-gone = Stopped: it wants no more
relay-state-loop = Stopped: leads back here
relay-state-journal = Stopped: another event log
relay-state-secret = Stopped: secret does not open
relay-advice-retrying =
    { $count ->
        [one] { $count } request waits for another try. It is tried again by itself, at growing intervals; what follows in the same chat waits behind it, everything else goes on.
       *[other] { $count } requests wait for another try. They are tried again by themselves, at growing intervals; what follows in the same chats waits behind them, everything else goes on.
    }
relay-advice-off = It was paused. Events are kept; resuming goes on where it stopped.
relay-advice-sending =
    { $count ->
        [one] { $count } request waits to be sent. It has not failed.
       *[other] { $count } requests wait to be sent, each chat in its order. None of them has failed.
    }
relay-advice-failing = It has failed again and again, so only one trial at a time is sent, at least one a minute. Look at the other system; once it answers, everything goes on where it stopped and nothing is lost.
relay-advice-refusing = It refused the last request, and what it refuses is put aside instead of being tried again. Look at the answer below, mend the other system or its address, then try again what was put aside.
relay-advice-unreached = The last request did not get through. The next event shows whether it answers again.
relay-advice-gone = It answered 410: it wants nothing any more. Check whether its address has changed; edit the address, or resume to try again.
relay-advice-loop = The address leads back to this hub; events would go round for ever. Give the other system's own address.
relay-advice-journal = This hub's event log was replaced, or an older copy put back, so the place where it stopped no longer exists. Resume begins with what comes in from now on; what waited or came in between is listed under "put aside" as expired.
relay-advice-secret = A secret that signs for it does not open: it was sealed by another master key. Make a new secret and give it to the other system; or have the operator bring the former key back, then resume. Events wait here.
relay-lag = Behind
relay-behind =
    { $count ->
        [one] { $count } event, { $age } old
       *[other] { $count } events, oldest { $age }
    }
relay-behind-retrying =
    { $count ->
        [one] { $count } waits for a retry
       *[other] { $count } wait for a retry
    }
relay-behind-sending = { $count } to be sent
relay-behind-none = Nothing
relay-rate-name = Rate
relay-rate = { $figure } a minute
relay-failed-share = Failed, last day
relay-last = Last answer
relay-last-was = Last answer: { $why }
relay-never = No event sent yet
relay-no-answer = No answer
relay-waiting = Waiting for a retry
relay-waiting-sending = Waiting to be sent
relay-parked = Put aside
relay-parked-count = { $count } put aside
relay-span-seconds = { $count } s
relay-span-minutes = { $count } min
relay-span-hours =
    { $count ->
        [one] { $count } hour
       *[other] { $count } hours
    }
relay-span-days =
    { $count ->
        [one] { $count } day
       *[other] { $count } days
    }
relay-why-redirect = It redirects ({ $status }). Redirects are not followed; give the final address.
relay-why-denied = It refused ({ $status }): mostly the signature or a permission does not fit.
relay-why-missing = It does not know this address ({ $status }). Check the path.
relay-why-busy = It asks to be called later ({ $status }).
relay-why-gone = It wants nothing any more ({ $status }).
relay-why-broken = The other system failed ({ $status }).
relay-why-refused = It did not accept this request ({ $status }).
relay-why-slow = No answer within { $seconds } s.
relay-why-behind = It waits behind an earlier one.
relay-why-loop = The address leads back to this hub.
relay-why-expired = Its content is no longer kept.
relay-why-replaced = The event log was replaced: what came in before is not passed on.
relay-why-filtered = It waited, and meanwhile the filter no longer lets it pass.
relay-why-taken-back = It waited, and meanwhile its sender took it back.
relay-why-name = No system has this name. Check how the address is spelled.
relay-why-closed = Nothing listens there. Check the port, and whether the other system runs.
relay-why-plain = It speaks no https on this port. Check the port, or begin with http:// where that is allowed.
relay-why-certificate = Its certificate is not to be trusted: it has expired, names another host, or nobody known has signed it.
relay-why-cut = It closed the connection before it had answered.
relay-why-unreachable = The other system could not be reached.
relay-name = Name
relay-name-hint = Only your team sees it, such as "CRM".
relay-url = Address
relay-url-hint = Begins with https://, just as a webhook URL in LINE Developers.
relay-url-hint-inside = Begins with https://, just as a webhook URL in LINE Developers; http:// is allowed inside your own network.
relay-active = Switched on
relay-active-hint = While off, events are kept; switched on, they follow.
relay-signing = Signature
relay-signing-hint = The other system checks the signature with a secret, to know where events come from.
relay-recommended = Recommended
relay-signing-own = Its own secret
relay-signing-own-hint = Shown once after saving; put it where the other system asks for the channel secret. If it leaks, replace it alone: your LINE channel is not touched.
relay-signing-line = LINE's signature
relay-signing-line-hint = For taking over an existing bot: it has the channel secret already and needs no change.
relay-signing-warning = Whoever holds the channel secret holds the whole channel: they can forge events, obtain tokens and send as the account. Give it only to a system you trust fully.
relay-twin = { $name } has this address too: it gets every event twice.
relay-twin-filtered = { $name } has this address too: what both let pass comes there twice.
relay-filter = Filter
relay-filter-hint = With nothing chosen everything is sent. With a filter the request holds only what passes, and is signed again.
relay-filter-events = Kinds of events
relay-filter-sources = Kinds of chats
relay-filter-tags = Tags of contacts
relay-filter-tags-hint = Separated by commas. Only events of contacts that have one of them.
relay-filter-share = Share of contacts (%)
relay-filter-share-hint = 1–100, always the same people. Good for trying a new system with a part of them.
relay-filter-none = All events
relay-filter-tagged = Tagged { $tags }
relay-filter-shared = { $share }% of contacts
relay-list-comma = { ", " }
relay-source-user = Person
relay-source-group = Group
relay-source-room = Room
relay-limits = Limits
relay-concurrency = Calls at once
relay-concurrency-hint = Usually { $usual }, at most { $most }.
relay-limit-rate = Calls a second
relay-limit-rate-hint = Left empty there is no limit; at most { $most }.
relay-timeout = Wait for an answer (ms)
relay-timeout-hint = Usually { $usual }; { $bounds }.
relay-error-name-required = Give it a name.
relay-error-name-invalid = A name has at most 60 characters and no control characters.
relay-error-url-required = Give the address.
relay-error-url-not-usable = This address cannot be used. Give a whole one, such as https://crm.example.com/line.
relay-error-url-no-scheme = Put https:// before the address.
relay-error-url-scheme = Only addresses that begin with https:// are accepted.
relay-error-url-scheme-inside = Only addresses that begin with https:// are accepted, and http:// inside your own network.
relay-error-url-credentials = Leave out the user name and the password before the @.
relay-error-url-blank = Take out the blank, backslash or line break.
relay-error-url-too-long = The address is too long: 2,000 characters at most.
relay-error-url-private = The address leads into a private network. Give a public one, or ask the operator to allow private destinations.
relay-error-url-private-other = The address leads into a private network that is not among those the operator has allowed. Give another one, or ask for this network to be added.
relay-error-url-fragment = Leave out the part after #: it is never sent.
relay-error-url-loop = This is this hub's own address; events would come back for ever.
relay-error-url-port = This port belongs to another service. Use 443, or one from 1024 on.
relay-error-concurrency-out-of-range = Give a whole number from 1 to 64.
relay-error-rate-out-of-range = Give a whole number from 1 to 10,000, or nothing.
relay-error-timeout-ms-out-of-range = Give a whole number from 500 to 30,000.
relay-error-share-out-of-range = Give a whole number from 1 to 100, or nothing.
relay-error-tags-too-many = Give at most 50 tags of at most 64 characters.
relay-error-since-required = Give the beginning.
relay-error-until-required = Give the end.
relay-error-since-invalid = This is no date and time.
relay-error-until-invalid = This is no date and time.
relay-error-until-before-since = The end has to be after the beginning.
relay-error-until-too-many = At most 10,000 requests can be sent again at once; choose a shorter time.
relay-secret = Its own secret: copy it now
relay-secret-detail = It is shown this once. Put it where the other system asks for the channel secret: LINE's SDKs check the signature with it.
relay-new-secret = Make a new secret
relay-new-secret-detail = The old one ends at once; LINE’s SDKs know only one. So that nothing is refused: pause, put the new secret into the other system, resume. What comes in meanwhile is kept and follows.
relay-new-secret-pause = Pause while I replace it
relay-new-secret-pause-hint = Without a pause the other system refuses what comes before it has the new one; that is put aside and can be tried again.
relay-new-secret-now = Make it
relay-menu = More acts on { $name }
relay-test = Test
relay-test-ok = The test arrived
relay-test-ok-detail = The other system took a signed request without events.
relay-test-failed = The test failed
relay-pause = Pause
relay-resume = Resume
relay-try-now = Try now
relay-skip = Skip what waits
relay-skip-detail =
    { $count ->
        [one] { $count } waiting request is left out, so that what stands behind it goes at once. It stays listed under "put aside" and can be tried again later.
       *[other] { $count } waiting requests are left out, so that what stands behind them goes at once. They stay listed under "put aside" and can be tried again later.
    }
relay-skip-now = Skip
relay-delete = Delete
relay-delete-title = Delete { $name }
relay-delete-detail = It gets no more events. LINE and the other systems are not touched.
relay-delete-behind =
    { $count ->
        [one] { $count } event that it has not got yet is dropped.
       *[other] { $count } events that it has not got yet are dropped.
    }
relay-delete-waiting =
    { $count ->
        [one] { $count } request that waits or was put aside is dropped.
       *[other] { $count } requests that wait or were put aside are dropped.
    }
relay-delete-answers = The free replies that it owns go back to the inbox.
relay-delete-key = Its key to LINE ends: tlp_…{ $hint }.
relay-toast-added = Relay system added
relay-toast-saved = Saved
relay-toast-paused = Paused; events are kept
relay-toast-resumed = Resumed where it stopped
relay-toast-begun = Resumed with what comes in from now on
relay-toast-trying = Trying now
relay-toast-skipped = Skipped; listed under "put aside"
relay-toast-deleted = Deleted
relay-toast-replayed = Queued to be sent again
relay-toast-retried = Queued to be tried again
relay-notice-nothing = Choose some first.
relay-notice-expired = The content of some is no longer kept, so nothing was sent again. Choose without them.
relay-notice-gone = Nothing of it can be tried again: its content is no longer kept.
relay-notice-waiting = Too many requests wait already, so nothing was sent again. Wait until they are through, or skip them.
relay-day = Last 24 hours
relay-day-words = Last 24 hours: { $delivered } delivered, { $failed } failed attempts
relay-day-none = Nothing was sent in the last 24 hours. It shows here when LINE sends something.
relay-day-table = As a table
relay-day-hour = Hour
relay-day-delivered = Delivered
relay-day-failed = Failed
relay-day-average = Average
relay-delivered = { $count } delivered
relay-failed = { $count } failed
relay-delivered-share = { $share } succeeded
relay-now = Now
relay-log = Attempts
relay-log-filter = Which attempts
relay-log-all = All
relay-log-failed = Failed only
relay-log-none = Nothing yet. Test shows whether the other system can be reached.
relay-log-hint = The newest 1,000 are kept: of each second the first 20 failures and the first 10 successes.
relay-log-newest = Newest
relay-log-older = Older
relay-pick = Choose this one
relay-again = Send chosen again
relay-again-one = Send this one again
relay-events =
    { $count ->
        [one] { $count } event
       *[other] { $count } events
    }
relay-requests =
    { $count ->
        [one] { $count } request
       *[other] { $count } requests
    }
relay-tries =
    { $count ->
        [one] { $count } try
       *[other] { $count } tries
    }
relay-attempt = Attempt
relay-attempt-ok = Delivered
relay-attempt-number = try { $count }
relay-attempt-next = next try
relay-attempt-next-at = Next try
relay-attempt-at = Sent
relay-attempt-took = Took
relay-attempt-count = Try
relay-attempt-received = Received
relay-sent-events = What was in it
relay-sent = Request
relay-sent-cut = Only the beginning is shown.
relay-sent-masked = Signature and reply tokens are masked.
relay-sent-may-differ = This may not be what was sent
relay-sent-may-differ-detail = The system was changed after this attempt, or its filter asks for tags. Address, headers and content are shown as they would be sent now.
relay-sent-gone = The request can no longer be shown
relay-sent-gone-detail = Its content is no longer kept, or the filter passes nothing of it now.
relay-copy-curl = Copy as curl
relay-curl-hint = Set { $names } before running it; signatures are made on your machine and are not in the command.
relay-curl-query = The address is in it in full, with what stands behind the question mark.
relay-curl-query-masked = What stands behind the question mark of the address is masked; owners see it.
relay-answer = Answer
relay-answer-empty = Nothing in it.
relay-answer-none = No answer came.
relay-delivery = Delivery ID:
relay-answer-cut = At most the first 500 characters are kept.
relay-parked-title = Put aside
relay-parked-lede = These are no longer tried by themselves: refused for good, tried for too long, kept back by the filter meanwhile, or skipped by a person. They are listed for 90 days.
relay-parked-empty = Nothing was put aside
relay-parked-empty-detail = What is refused or expires is listed here; nothing vanishes silently.
relay-parked-next = Next page
relay-standing-refused = Refused
relay-standing-expired = Expired
relay-standing-skipped = Skipped
relay-retry = Try chosen again
relay-replay = Send a time again
relay-replay-hint = Sends what was received within a time again, to this system only; at most { $most } requests at once.
relay-replay-since = From
relay-replay-until = To
relay-replay-zone = Time zone: { $zone }
relay-replay-count = Count them
relay-replay-none = Nothing was received within this time.
relay-replay-found =
    { $count ->
        [one] { $count } request will be sent to { $name } again
       *[other] { $count } requests will be sent to { $name } again
    }
relay-replay-found-up-to =
    { $count ->
        [one] Up to { $count } request will be sent to { $name } again
       *[other] Up to { $count } requests will be sent to { $name } again
    }
relay-replay-found-detail = The other system may have had some of them; their event IDs are the same, by which it can tell.
relay-replay-filtered = Its filter decides which of them go.
relay-replay-now = Send { $count } again
relay-replay-now-filtered = Send again
relay-facts = Settings
relay-fact-concurrency =
    { $count ->
        [one] { $count } call at once
       *[other] { $count } calls at once
    }
relay-fact-rate = at most { $count } a second
relay-fact-timeout = { $seconds } s for an answer
relay-changed = Changed
relay-help = For the other system's developers: signature and headers
relay-help-verify = Checking the signature
relay-help-verify-own = Give LINE's SDK this system's own secret as the channel secret. By hand:
relay-help-verify-line = LINE's SDK checks it with the channel secret, just as when LINE calls. By hand:
relay-help-raw = Use the bytes as they came; JSON that was parsed and written again does not fit.
relay-help-standard = The three headers webhook-id, webhook-timestamp and webhook-signature. By hand:
relay-help-standard-compare = webhook-signature may hold several, separated by blanks; one that fits is enough. Refuse a webhook-timestamp (seconds) that is more than five minutes off.
relay-help-headers = Headers of Trunkline
relay-help-delivery = The request's id, the same at every try: tells repeats apart.
relay-help-attempt = The number of the try, from 1.
relay-help-received = When Trunkline received it from LINE.
relay-help-hub = Names this hub. It stops events from going round; nothing is to be done with it.
relay-help-answer = What to answer
relay-help-answer-detail = 2xx means taken. 429 and 5xx are tried again, minding Retry-After; 410 stops the relay; any other 4xx is a refusal and is put aside.
relay-standard = Second signature
relay-standard-hint = For systems that check webhooks by Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature). x-line-signature goes with it as before.
relay-standard-both = The secret before signs as well until
relay-standard-new = Make a new secret
relay-standard-new-detail = For a day the present secret signs as well, so that nothing is refused while the other system is changed over. Then only the new one does.
relay-standard-off = Switch off
relay-standard-on = Add it
relay-standard-secret = Secret of the second signature: copy it now
relay-standard-secret-detail = It is shown this once. Put it where the other system asks for the signing secret.
relay-replies = Free replies
relay-replies-theirs = { $name } answers for free. What colleagues send from here counts as paid.
relay-replies-keyless = { $name } is to answer for free, but has no key to LINE here. Unless it calls LINE directly with the channel’s own token, nobody uses the free replies, and what colleagues send counts as paid.
relay-replies-halted = { $name } is to answer for free, but gets no events now. Nobody uses the free replies, and what colleagues send counts as paid.
relay-row-keyless = Answers for free, without a key here
relay-row-halted = Answers for free, but gets no events
relay-replies-ours = The inbox answers for free. A system that answers through its key pays for pushes, or gets LINE’s refusal.
relay-replies-but = For some kinds of events it is another one.
relay-replies-hint = Every event brings one free reply, so it has one owner. A system that calls LINE directly, past this hub, cannot be seen or held back here.
relay-replies-change = Change who answers for free
relay-replies-see = See who answers for free
relay-log-search = Person or delivery ID
relay-log-show = Show
relay-log-delivered = Delivered
relay-log-refused = Refused
relay-log-broken = Other system failed or busy
relay-log-silent = No answer
relay-log-none-chosen = No attempt fits.
relay-replayed = Sent again
relay-never-tried = Never tried
relay-retry-one = Try this one again
relay-choose-all = Choose all on this page
relay-dismiss = Dismiss chosen
relay-dismiss-detail = What you chose leaves this list for good and can no longer be tried again here. What LINE sent stays in the inbox.
relay-dismiss-now = Dismiss
relay-toast-dismissed = Dismissed
relay-notice-meanwhile = Some were tried again or dismissed meanwhile. This is what is left.
relay-parked-counted = Refused or expired: { $failed }. Skipped: { $skipped }.
relay-retry-all = Try refused and expired again
relay-retry-all-detail =
    { $count ->
        [one] { $count } request is sent to { $name } again.
       *[other] { $count } requests are sent to { $name } again, each chat in its order.
    }
relay-retry-all-skipped = The { $count } that were skipped stay; choose them below to try them too.
relay-retry-all-now = Try { $count } again
error-destination-gone = Somebody may have deleted it.
error-destination-gone-title = No such relay system
error-attempt-gone = This attempt is no longer in the log: the newest 1,000 are kept.
error-parked-gone = This was tried again or dismissed meanwhile.
audit-value-url = address
audit-value-filter = filter
audit-value-signing = signature
audit-value-standard-webhooks = second signature
audit-value-limits = limits
audit-value-active = switched on
