# 模組頻道的連結頁
module-attach-title = 將「{ $name }」連結到官方帳號
module-attach-lead = 連結後，這個模組就能在你選的官方帳號上做下列的事。你可以隨時解除連結。
module-attach-scopes = 模組想要的權限
module-attach-account = 要連結的官方帳號
module-attach-agree = 同意並連結
module-attach-none = 沒有符合這個模組條件的官方帳號。
module-scope-send = 傳送訊息、管理受眾
module-scope-receive = 接收好友的訊息與事件、接手聊天
module-scope-account = 管理圖文選單、查看統計資料
module-scope-profile = 查看好友與群組的基本資料
module-scope-coupon = 建立與管理優惠券
module-scope-read = 將訊息標示為已讀
module-scope-pnp = 傳送 LINE 通知型訊息
module-scope-crm = 使用聊天外掛功能
