# The page on which a module is attached.
module-attach-title = Attach “{ $name }” to an account
module-attach-lead = The module will be able to do the following on the account you choose. You can detach it at any time.
module-attach-scopes = What the module asks for
module-attach-account = The account to attach it to
module-attach-agree = Agree and attach
module-attach-none = There is no account that this module may be attached to.
module-scope-send = Send messages and manage audiences
module-scope-receive = Receive messages and events, and take over chats
module-scope-account = Manage rich menus and see statistics
module-scope-profile = See the profiles of friends and groups
module-scope-coupon = Make and manage coupons
module-scope-read = Mark messages as read
module-scope-pnp = Send LINE notification messages
module-scope-crm = Use the chat plugin
