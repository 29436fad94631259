# モジュールチャネルの連携ページ
module-attach-title = 「{ $name }」をアカウントに連携
module-attach-lead = 連携すると、このモジュールは選んだアカウントで次のことができるようになります。連携はいつでも解除できます。
module-attach-scopes = モジュールが求める権限
module-attach-account = 連携するアカウント
module-attach-agree = 同意して連携
module-attach-none = このモジュールを連携できるアカウントがありません。
module-scope-send = メッセージの送信とオーディエンスの管理
module-scope-receive = メッセージとイベントの受信、チャットの引き継ぎ
module-scope-account = リッチメニューの管理と統計情報の閲覧
module-scope-profile = 友だちとグループのプロフィールの閲覧
module-scope-coupon = クーポンの作成と管理
module-scope-read = メッセージを既読にする
module-scope-pnp = LINE通知メッセージの送信
module-scope-crm = チャットプラグインの利用
