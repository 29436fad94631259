# The sandbox's pages. Words follow GLOSSARY.md.
app-name = Sandbox
app-tagline = A local LINE for trying things out
people = People
accounts = Official Accounts
no-people = Nobody has a phone here yet. Add the first person below.
new-person = Add a person
add = Add
create = Create
open-phone = Open phone
friends-count = { $count ->
    [one] { $count } friend
   *[other] { $count } friends
}
follows-count = { $count ->
    [0] Not a friend of any account yet
    [one] Friend of { $count } account
   *[other] Friend of { $count } accounts
}
use-webhook = Use webhook
webhook-on = Webhook on
webhook-off = Webhook off
not-set = Not set
copy = Copy
copied = Copied
language = Language
to-console = Back to the console
chats = Chats
chats-with = { $name }’s chats
no-chats = No chats yet. Add an account below to start.
accounts-to-add = Accounts you can add
group-chat = Group chat
group-members = { $count ->
    [one] { $count } member
   *[other] { $count } members
}
no-messages = No messages yet
back = Back
more = More
block = Block
unblock = Unblock
add-friend = Add friend
not-a-friend = This account is not on your friends list.
blocked-note = You blocked this account. Unblock it to chat again.
left-note = The account has left this group.
write-message = Message
send = Send
stickers = Stickers
attach = Attach
attach-file = File
send-location = Send location
unsend = Unsend
edit = Edit
edited = Edited
you-unsent = You unsent a message
they-unsent = { $name } unsent a message
read = Read
today = Today
typing = { $name } is preparing an answer
cancel = Cancel
done = Done
pick-date = Choose a date and time
place-title = Place name
place-address = Address
latitude = Latitude
longitude = Longitude
not-sent = This was not sent: { $reason }
connection-lost = The sandbox is not answering. Trying again…
not-found-title = Nothing here
not-found-text = This person or chat does not exist, or no longer does.
you = You
lv-unsupported = This cannot be shown here
lv-message = Message
lv-sticker = Sticker
lv-emoji = Emoji
lv-image = Photo
lv-video = Video
lv-audio = Voice message
lv-file = File
lv-location = Location
lv-coupon = Coupon
lv-open-link = Open
lv-open-map = Open map
lv-unavailable = Not available
lv-quick-replies = Quick replies
lv-quote = Reply to a message
lv-everyone = All
lv-member = Member
