"""Headers of earlier messages copied into a body, in many languages, with and without a rule above them."""

import pytest

from xplain.emails import comment_from_email

CONTENT = b"Content-Type: text/plain; charset=utf-8\n\n"


def split(text):
    return comment_from_email(CONTENT + text.encode()).messages


# From, sent, to and subject as Outlook writes them, for Tuesday, 5 March 2019, 16:34.
OUTLOOK = {
    "ar": ("من", "تاريخ الإرسال", "5 مارس، 2019 04:34 م", "إلى", "الموضوع"),
    "bg": ("От", "Изпратено", "вторник, 5 март 2019 г. 16:34", "До", "Относно"),
    "ca": ("De", "Enviat", "dimarts, 5 de març de 2019 16:34", "Per a", "Assumpte"),
    "cs": ("Od", "Odesláno", "úterý 5. března 2019 16:34", "Komu", "Předmět"),
    "da": ("Fra", "Sendt", "5. marts 2019 16:34", "Til", "Emne"),
    "de": ("Von", "Gesendet", "Dienstag, 5. März 2019 16:34", "An", "Betreff"),
    "el": ("Από", "Στάλθηκε", "Τρίτη, 5 Μαρτίου 2019 4:34 μμ", "Προς", "Θέμα"),
    "en": ("From", "Sent", "Tuesday, March 5, 2019 4:34 PM", "To", "Subject"),
    "es": ("De", "Enviado el", "martes, 5 de marzo de 2019 16:34", "Para", "Asunto"),
    "es-MX": ("De", "Enviado", "martes, 5 de marzo de 2019 4:34 p. m.", "Para", "Asunto"),
    "et": ("Saatja", "Saadetud", "teisipäev, 5. märts 2019 16:34", "Adressaat", "Teema"),
    "fi": ("Lähettäjä", "Lähetetty", "tiistai 5. maaliskuuta 2019 16.34", "Vastaanottaja", "Aihe"),
    "fr": ("De ", "Envoyé ", "mardi 5 mars 2019 16:34", "À ", "Objet "),
    "he": ("מאת", "נשלח", "יום שלישי 5 מרץ 2019 16:34", "אל", "נושא"),
    "hr": ("Od", "Poslano", "5. ožujka 2019. 16:34", "Prima", "Predmet"),
    "hu": ("Feladó", "Elküldve", "2019. március 5., kedd 16:34", "Címzett", "Tárgy"),
    "id": ("Dari", "Dikirim", "05 Maret 2019 16:34", "Kepada", "Subjek"),
    "it": ("Da", "Inviato", "martedì 5 marzo 2019 16:34", "A", "Oggetto"),
    "ja": ("差出人", "送信日時", "2019年3月5日 16:34", "宛先", "件名"),
    "ko": ("보낸 사람", "보낸 날짜", "2019년 3월 5일 화요일 오후 4:34", "받는 사람", "제목"),
    "lt": ("Nuo", "Išsiųsta", "2019 m. kovo 5 d. 16:34", "Kam", "Tema"),
    "lv": ("No", "Nosūtīts", "2019. gada 5. marts 16:34", "Kam", "Tēma"),
    "nb": ("Fra", "Sendt", "tirsdag 5. mars 2019 16:34", "Til", "Emne"),
    "nl": ("Van", "Verzonden", "dinsdag 5 maart 2019 16:34", "Aan", "Onderwerp"),
    "pl": ("Od", "Wysłano", "wtorek, 5 marca 2019 16:34", "Do", "Temat"),
    "pt": ("De", "Enviada em", "terça-feira, 5 de março de 2019 16:34", "Para", "Assunto"),
    "ro": ("De la", "Trimis", "marți, 5 martie 2019 16:34", "Către", "Subiect"),
    "ru": ("От", "Отправлено", "5 марта 2019 г. 16:34", "Кому", "Тема"),
    "sk": ("Od", "Odoslané", "utorok 5. marca 2019 16:34", "Komu", "Predmet"),
    "sl": ("Od", "Poslano", "torek, 05. marec 2019 16:34", "Za", "Zadeva"),
    "sr": ("Од", "Послато", "5. март 2019. 16:34", "За", "Тема"),
    "sv": ("Från", "Skickat", "den 5 mars 2019 16:34", "Till", "Ämne"),
    "th": ("จาก", "ส่งเมื่อ", "5 มีนาคม 2562 16:34", "ถึง", "เรื่อง"),
    "tr": ("Kimden", "Gönderildi", "5 Mart 2019 Salı 16:34", "Kime", "Konu"),
    "uk": ("Від", "Надіслано", "5 березня 2019 р. 16:34", "Кому", "Тема"),
    "vi": ("Từ", "Đã gửi", "05 Tháng Ba 2019 16:34", "Tới", "Chủ đề"),
    "zh-CN": ("发件人", "发送时间", "2019年3月5日 16:34", "收件人", "主题"),
    "zh-TW": ("寄件者", "寄件日期", "2019年3月5日 下午 04:34", "收件者", "主旨"),
    "a language that is not known": ("Kutoka", "Imetumwa", "2019-03-05 16:34", "Kwa", "Mada"),
}


@pytest.mark.parametrize(
    "rule", ["\n", "________________________________\n", "----- Lorem ipsum -----\n", "=======\n\n"]
)
@pytest.mark.parametrize("fields", OUTLOOK.values(), ids=OUTLOOK)
def test_copied_headers_in_any_language(fields, rule):
    author, sent, when, to, subject = fields
    header = f"{author}: Mia Berg <mia@berg.example>\n{sent}: {when}\n{to}: Bo Ek\n{subject}: Bread\n"
    newest, earlier = split(f"Agreed.\n\nGet Outlook for iOS\n{rule}{header}\nOne.\n")
    assert (newest.body, newest.signature) == ("Agreed.", "Get Outlook for iOS")
    assert (earlier.body, earlier.from_) == ("One.", "Mia Berg <mia@berg.example>")
    assert (earlier.to, earlier.subject) == (("Bo Ek",), "Bread")
    assert earlier.sent_at == "2019-03-05T16:34:00"


HEADERS = {
    "mail.ru": "От кого: Mia <m@b.example>\nКому: Bo\nДата: Вторник, 5 марта 2019, 16:34 +03:00\nТема: Bread",
    "orange": 'Message du : 05/03/2019 16:34\nDe : "Mia" <m@b.example>\nA : Bo\nObjet : Bread',
    "no space": "De :Mia <m@b.example>\nEnvoyé le :mardi 5 mars 2019 16:34\nObjet :Bread",
    "from and date": "From: Mia <m@b.example>\nDate: 5 March 2019 16:34",
    "date first": "Date: Tue, 5 Mar 2019 16:34:00\nFrom: m@b.example\nTo: b@c.example",
    "bold": "*From:* Mia <m@b.example>\n*Sent:* Tuesday, March 5, 2019 4:34 PM\n*To:* Bo\n*Subject:* Bread",
    "bolder": "**From:** Mia <m@b.example>\n**Sent:** 5 March 2019 16:34\n**To:** Bo\n**Subject:** Bread",
    "wrapped": "From: Mia\n<m@b.example>\nSent: Tuesday, March 5, 2019 4:34 PM\nTo: Bo\nSubject: Bread",
    "reply-to": "From: m@b.example\nReply-To: m@b.example\nSent: 5 March 2019 16:34\nSubject: Bread",
    "no names": "From: Mia\nSent: 5 March 2019 16:34\nTo: Bo",
    "directions": "\u200eFrom:\u200e m@b.example\nSent: \u200e5\u200e \u200eMarch\u200e \u200e2019 16:34\nTo: Bo",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_other_forms(header):
    newest, earlier = split(f"Agreed.\n\n{header}\n\nOne.\n")
    assert (newest.body, earlier.body) == ("Agreed.", "One.")
    assert earlier.from_.replace('"', "") in ("Mia <m@b.example>", "m@b.example", "Mia")
    assert earlier.sent_at[:16] == "2019-03-05T16:34"


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("GMT+03:00", "+03:00"), ("GMT+1", "+01:00"), ("GMT-0500", "-05:00"), ("UTC+2", "+02:00"), ("CEST", "+02:00"),
     ("JST", "+09:00"), ("(GMT+01:00)", "+01:00"), ("BST", ""), ("", "")],
)  # fmt: skip
def test_zones(zone, offset):
    _, earlier = split(
        f"Agreed.\n\nFrom: Mia <m@b.example>\nDate: 5 Mar 2019 16:34:00 {zone}\nSubject: Bread\n\nOne.\n"
    )
    assert earlier.sent_at == "2019-03-05T16:34:00" + offset


RULES = [
    "-----Original Message-----", "-------- Originalnachricht --------", "-----Ursprüngliche Nachricht-----",
    "-------- Message d'origine --------", "-----Mensaje original-----", "-----Mensagem Original-----",
    "-----Messaggio originale-----", "-----Oorspronkelijk bericht-----", "-----Ursprungligt meddelande-----",
    "-------- Oprindelig besked --------", "-----Opprinnelig melding-----", "-----Alkuperäinen viesti-----",
    "-----Původní zpráva-----", "-----Eredeti üzenet-----", "-----Oryginalna wiadomość-----",
    "-----Исходное сообщение-----", "-----Özgün İleti-----", "------------------ 原始邮件 ------------------",
    "-----元のメッセージ-----", "-----원본 메시지-----",
    "---------- Forwarded message ---------", "-------- Weitergeleitete Nachricht --------",
    "-------- Message transféré --------", "---------- Пересылаемое сообщение ----------",
    "Begin forwarded message:", "Anfang der weitergeleiteten Nachricht:", "Début du message transféré :",
    "Inicio del mensaje reenviado:", "Inizio messaggio inoltrato:", "Begin doorgestuurd bericht:",
    "Vidarebefordrat brev:", "Začátek přeposílané zprávy:", "Początek przekazywanej wiadomości:",
    "Начало переадресованного сообщения:", "Továbbított levél kezdete:",
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mark", ["", "> "], ids=["unmarked", "marked"])
def test_rules_with_words(rule, mark):
    newest, earlier = split(
        f"Agreed.\n\n{rule}\n\n{mark}From: Mia <m@b.example>\n{mark}Subject: Bread\n{mark}\n{mark}One.\n"
    )
    assert (newest.body, earlier.body) == ("Agreed.", "One.")
    assert (earlier.from_, earlier.subject) == ("Mia <m@b.example>", "Bread")
    newest, *earlier = split(f"Agreed.\n\n{rule}\n\nOne.\n")
    assert newest.body == "Agreed."
    assert [message.body for message in earlier] == ["One."]


@pytest.mark.parametrize(
    "text",
    [
        "From: Vienna\nTo: Graz\nDate: 3 May 2020\n\nPlease book.",
        "Von: Wien\nNach: Graz\nDatum: 3. Mai 2020\n\nBitte buchen.",
        "Date: 12 May 2020\nTime: 10:00\nPlace: Room 1\n\nPlease come.",
        "Subject: the new house\nPrice: 100\nPlace: Graz\n\nIs it good?",
        "It comes from: john@example.com and from: jane@example.com\n\nFrom: our database, not From: others.",
        "Please call:\n\nKim: 12345\nBo: 45678\nDate: 12 May 2020\n\nBye",
        "Answer below.\n\n----------------- Enter Feedback Below -----------------\n\nIt was good.",
        "De: nada\nPara: todos\n\nHola",
    ],
)
def test_lists_of_facts_stay(text):
    (message,) = split(text)
    assert message.body == text


def test_an_author_may_have_a_comma():
    _, earlier = split(
        "Agreed.\n\nFrom: Berg, Mia <m@b.example>\nSent: 5 March 2019 16:34\nTo: Ek, Bo; c@d.example\n\nOne.\n"
    )
    assert earlier.from_ == '"Berg, Mia" <m@b.example>'
    _, earlier = split("Agreed.\n\nFrom: Mia [mailto:m@b.example]\nSent: 5 March 2019 16:34\nTo: Bo\n\nOne.\n")
    assert earlier.from_ == "Mia <m@b.example>"
