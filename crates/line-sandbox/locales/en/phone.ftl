# The phone pages.
find-person = Find a person
phones-beside = Phones side by side
add-phone = Add phone
open-alone = Open alone
remove-phone = Remove { $name }’s phone
phone-of = { $name }’s phone
no-phones = No phone is here. Choose a person above.
unread-count = { $count ->
    [one] { $count } unread message
   *[other] { $count } unread messages
}
add-by-link = Add an account
add-by-link-hint = Enter the LINE ID (@…) or the link that a QR code holds.
find = Find
share-with = Share with
chat = Chat
profile = Profile
qr-code = Friend-add QR code
scan-with = Whose phone scans it?
opened-elsewhere = Opened in a new tab
mention = Mention
everyone = All
keyboard = Keyboard
rich-menu = Rich menu
camera = Camera
pictures = Photos
sample-picture = Sample picture { $name }
own-file = Choose a file
voice = Voice message
voice-hint = Sends a voice message of two seconds.
voice-send = Send a voice message
reply = Reply
close = Close
coupon = Coupon
coupon-get = Get
coupon-use = Use
coupon-got = You have this coupon.
coupon-used = You used this coupon.
coupon-off = { $name } off
coupon-back = { $name } cash back
coupon-free = Free
coupon-gift = Gift
coupon-lost = No luck this time.
