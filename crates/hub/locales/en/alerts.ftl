### Alerts: page, letters, and the words of every condition.

alerts-title = Alerts
alerts-lede = When something is wrong with an account or the hub, it stands here with what to do.
alerts-open = Now
alerts-none = All is well. Nothing needs to be done.
alerts-since = Since
alerts-returns = came back { $count } { $count ->
        [one] time
       *[other] times
    }
alerts-told = { $count } { $count ->
        [one] notice
       *[other] notices
    } sent
alerts-not-told = Not yet told: { $to }
alerts-the-hub = The hub
alerts-banner-fix = See the fix
alerts-banner-more = and { $count } more
alerts-channels = Who is told
alerts-channels-lede = The pages always show it. E-mail and webhook tell it as well, once when it begins, once each time it gets worse, and once when it is over.
alerts-email = E-mail
alerts-email-on = Tell by e-mail
alerts-email-on-hint = Sent from { $sender }.
alerts-email-to = Recipients
alerts-email-to-hint = One address on each line, at most 20. Empty means all owners, each in their language.
alerts-language = Language of the mail
alerts-language-hint = For recipients who chose no language in their profile, and for the texts of the webhook.
alerts-no-mail-server = E-mail cannot be sent yet
alerts-no-mail-server-detail = Ask the operator to set TRUNKLINE_SMTP_URL and TRUNKLINE_MAIL_FROM and to restart the hub.
alerts-webhook = Webhook
alerts-webhook-on = Tell another system by webhook
alerts-webhook-on-hint = Posts JSON, signed as Standard Webhooks says.
alerts-webhook-url = Address
alerts-webhook-url-hint = A public address that begins with https.
alerts-new-secret = Make a new signing secret
alerts-new-secret-hint = The old one ends at once; the new one is shown once.
alerts-secret-made = This is the secret that signs the webhook
alerts-secret-made-detail = Copy it into the receiving system now. It is not shown again.
alerts-save = Save
alerts-changed = Last changed
alerts-toast-saved = The settings are saved
alerts-test-email = Send me a test mail
alerts-test-webhook = Send a test webhook
alerts-test-sent = Sent to { $to }, and accepted there.
alerts-test-failed = It did not reach { $to }
alerts-tests-used-up = Ten tries within an hour are enough. Try again later.
alerts-history = Before
alerts-history-none = Nothing yet.
alerts-history-kept = Kept for 90 days after it was over.
alerts-failed-unreachable = The mail server cannot be reached. Check host and port.
alerts-failed-silent = The mail server took too long to answer.
alerts-failed-not-secure = There is no secure connection to the mail server. Check its certificate and port.
alerts-failed-login = The mail server refused user name or password. Ask the operator to check TRUNKLINE_SMTP_URL.
alerts-failed-refused = The mail server refused the letter. Check sender and recipient.
alerts-failed-later = The mail server asks to try later.
alerts-failed-letter = The recipient's address cannot be used.
alerts-failed-no-server = There is no mail server.
alerts-failed-forbidden = The address leads into a network that is not public. Use a public one.
alerts-failed-no-answer = The address cannot be reached or took too long to answer.
alerts-failed-status = The other side did not accept it. Look into its log.
alerts-failed-hub = Something went wrong inside the hub. Its log tells more.
alerts-error-email-to-wrong = One of these is not an e-mail address. Check them and save again.
alerts-error-email-to-too-many = At most 20 addresses.
alerts-error-webhook-url-required = Give an address, or switch the webhook off.
alerts-error-webhook-url-private = This address leads into a network that is not public. Give a public one.
alerts-error-webhook-url-not-https = Give an address that begins with https://.
alerts-mail-failed-subject = Failed: { $title }
alerts-mail-warning-subject = Warning: { $title }
alerts-mail-closed-subject = Over: { $title }
alerts-mail-opened = It began: { $since }
alerts-mail-closed = This is over ({ $since } – { $until }). Nothing is left to do.
alerts-mail-link = See what it is and how to fix it
alerts-mail-why = You get this because you are among the recipients of Trunkline's alerts. Change that under Settings → Alerts.
alerts-mail-test-subject = Trunkline: a test
alerts-mail-test = This is a test. When something is wrong, notices will arrive like this.
alerts-code-webhook-off-title = { $account }: "Use webhook" is off, no messages arrive
alerts-code-webhook-off-fix = Switch "Use webhook" on, in the response settings of LINE Official Account Manager or in LINE Developers. What came while it was off is not sent again by LINE.
alerts-code-webhook-elsewhere-title = { $account }: LINE sends its events to another system
alerts-code-webhook-elsewhere-fix = The webhook address at LINE is { $address }. Unless you meant that, set it back to the hub's on the doctor's page.
alerts-code-webhook-missing-title = { $account }: there is no webhook address at LINE
alerts-code-webhook-missing-fix = Set it again on the doctor's page; then messages arrive here.
alerts-code-webhook-unreachable-title = { $account }: LINE cannot reach the hub
alerts-code-webhook-unreachable-fix = Make sure that the public address can be reached from the internet, that its certificate chain is complete, and that no firewall keeps LINE out.
alerts-code-credentials-title = { $account }: LINE no longer takes the credentials, nothing can be sent
alerts-code-credentials-fix = The secret was reissued, the key was deleted, or LINE suspended the account. Enter the new values in the account's settings.
alerts-code-quota-near-title = { $account }: this month's messages are nearly used
alerts-code-quota-near-fix = { $used } of { $total } are used. Replies stay free; for more, change the plan at LINE.
alerts-code-quota-used-title = { $account }: this month's messages are used up
alerts-code-quota-used-fix = All { $total } are used. LINE refuses pushes; replies still work. Change the plan at LINE, or wait for the next month.
alerts-code-silent-title = { $account }: quiet for longer than usual
alerts-code-silent-fix = Nothing has come in for { $hours } hours. Send the account a message from a phone; if it does not appear, open the doctor.
alerts-code-certificate-title = The certificate of the public address needs attention
alerts-code-certificate-fix = Days left: { $days }. When it ends, LINE delivers nothing. Renew it, with its whole chain.
alerts-code-login-channel-title = { $account }: LINE Login does not work
alerts-code-login-channel-fix = LINE does not take the Login channel's credentials. Check its channel ID and secret in the account's settings.
alerts-code-login-secret-title = { $account }: LINE Login needs its channel secret again
alerts-code-login-secret-fix = The secret was removed when the account was disconnected. Enter it again in the account's settings.
alerts-code-liff-title = { $account }: the LIFF app needs repair
alerts-code-liff-fix = It is gone, or its endpoint was changed. The doctor repairs it.
alerts-code-storage-title = The hub's storage needs attention
alerts-code-storage-fix = When the disk is full or cannot be written, new messages cannot be kept. Ask the operator to make room and look after the database.
alerts-code-clock-title = The hub's clock is wrong
alerts-code-clock-fix = It is { $seconds } s off LINE's; tokens and signatures are refused for that. Ask the operator to keep it in time.
alerts-code-bad-signatures-title = { $account }: events come with a wrong signature
alerts-code-bad-signatures-fix = { $count } so far. If the channel secret was just reissued, enter the new one: what came within 24 hours is then taken in.
alerts-code-public-url-changed-title = The hub's public address has changed
alerts-code-public-url-changed-fix = { $count } accounts still have the old one at LINE. Confirm once, and the hub registers them all anew.
alerts-code-relay-paused-title = { $account }: { $names } gets no events any more
alerts-code-relay-paused-fix =
    { $halt ->
        [failing] Its address does not answer, or answers with an error. Its events wait here and nothing is lost. Mend that system: once it answers, everything goes on by itself. Under "Relay" stands what it answered last.
        [stopped] It was stopped, and the hub does not try it by itself. Its events wait here. Under "Relay" stands why: set that right, then resume it there.
       *[both] Their events wait here. Under "Relay" stands why: one that fails goes on by itself once it answers, one that was stopped has to be resumed there.
    }
alerts-name = { $name }
alerts-names-comma = { ", " }
alerts-code-other-title = { $account }: something needs attention
alerts-code-other-fix = Open the doctor to see what it is.
alerts-health-ok = all is well
alerts-health-warning = needs attention
alerts-health-failed = something fails
alerts-switcher = Choose an account
alerts-switcher-all = All accounts
alerts-switcher-count = { $count } { $count ->
        [one] account
       *[other] accounts
    }
alerts-switcher-live = Live
alerts-switcher-test = Test
alerts-switcher-add = Add an account
audit-alerts-settings-changed = Changed who is told of alerts
audit-company-changed = Changed the company
audit-tenant-expiry-set = Set when the service ends
audit-detail-expires-at = The service ends
audit-value-email = e-mail
audit-value-addresses = recipients
audit-value-language = language
audit-value-webhook = webhook
audit-value-webhook-secret = signing secret
audit-value-name = name
audit-value-country = country
audit-value-site-url = public site
audit-value-privacy-url = address of the privacy policy
audit-value-terms-url = address of the terms
audit-value-privacy-text = text of the privacy policy
audit-value-terms-text = text of the terms
audit-value-support-url = help
audit-value-videos = videos
