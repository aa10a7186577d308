"""The stamp service itself: rules decide, store remembers, actions do.

The words, as the screens use them (identifier: Japanese):

merchant 加盟店: a tenant · shop 店舗: a place of a merchant · staff スタッフ: a
merchant's login · program カード設定: goal, rewards, rules and looks, versioned ·
card カード: one customer's card of one program · customer お客様 · stamp スタンプ ·
reward 特典: defined on a program at a stamp count · voucher 特典チケット: one issued
reward · ledger entry 履歴: append-only · till code: what a customer scans at the
till · pass: the card in Apple or Google Wallet.
"""
