"""Signatures: lines of devices, closing formulas and footers of mailing lists, and sentences that resemble them."""

import pytest

from xplain.emails import comment_from_email
from xplain.emails.signatures import is_device_line


def read(text):
    return comment_from_email(b"Content-Type: text/plain; charset=utf-8\n\n" + text.encode()).messages[0]


DEVICES = [
    "Sent from my iPhone", "Sent from my iPhone.", "Sent from Yahoo Mail on Android",
    "Sent from Mail for Windows 10",
    "Sent from my Verizon, Samsung Galaxy smartphone", "Sent via the Samsung Galaxy S21 5G, an AT&T 5G smartphone",
    "Sent from my phone, please excuse any typos.", "Sent with Proton Mail secure email.", "Get Outlook for iOS",
    "Get Outlook for Android<https://aka.ms/AAb9ysg>", "Von meinem iPhone gesendet",
    "Gesendet mit der GMX Mail App",
    "Gesendet von Outlook für Android<https://aka.ms/AAb9ysg>", "Holen Sie sich Outlook für iOS",
    "Envoyé de mon iPhone", "Envoyé à partir d'Outlook pour iOS", "Télécharger Outlook pour Android",
    "Enviado desde mi iPhone",
    "Obtener Outlook para iOS", "Enviado do meu iPhone", "Inviato da iPhone", "Verstuurd vanaf mijn iPad",
    "Skickat från min iPhone", "Hämta Outlook för iOS", "Sendt fra min iPhone", "Lähetetty iPhonesta",
    "Wysłane z iPhone'a", "Odesláno z iPhonu", "Odoslané z iPhonu", "Poslano s mog iPhonea",
    "Trimis de pe iPhone-ul meu", "Отправлено с iPhone", "Надіслано з iPhone", "Στάλθηκε από το iPhone μου",
    "iPhone'umdan gönderildi",
    "נשלח מה-iPhone שלי", "Gửi từ iPhone của tôi", "Dikirim dari iPhone saya", "ส่งจาก iPhone ของฉัน",
    "发自我的 iPhone",
    "從我的 iPhone 傳送", "iPhoneから送信", "나의 iPhone에서 보냄",
]  # fmt: skip


@pytest.mark.parametrize("line", DEVICES)
def test_lines_of_devices(line):
    message = read(f"It is late.\n\n{line}\n")
    assert (message.body, message.signature) == ("It is late.", line)


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my desk, which is easier than from my phone.",
        "Sent from my office the parcel would have been here in time.",
        "Gesendet von meiner Schwester wurde mir gestern ein Paket, das leer war.",
        "Envoyé de mon bureau, ce qui est plus simple que de mon téléphone.",
        "Enviado desde mi oficina, que es más fácil que hacerlo desde el teléfono.",
        "Inviato da un amico, che lo ha comprato ieri in un negozio di Graz.",
        "Outlook for Android does not start any more.",
    ],
)
def test_sentences_that_begin_like_the_line_of_a_device(line):
    assert not is_device_line(line)
    assert read(f"It is late.\n\n{line}\n").body == f"It is late.\n\n{line}"


LISTS = {
    "mailman": "_" * 47 + "\nBaker mailing list\nBaker@lists.example.org\nhttps://lists.example.org/listinfo/baker",
    "german": "-" * 50 + "\nListe Bäcker\nhttps://liste.example.de/baecker\nZum Abmelden: baecker-request@example.de",
    "french": "=" * 45 + "\nListe de diffusion boulangers\nPour se désinscrire : https://liste.example.fr/",
    "russian": "-" * 40 + "\nСписок рассылки\nhttp://list.example.ru/pekar",
    "japanese": "-" * 42 + "\nパン屋メーリングリスト\nhttps://list.example.jp/pan",
    "with an advertisement": "-" * 55 + "\nThis mail is sponsored by: Baker's Geek\nhttp://geek.example/\n"
    + "_" * 47 + "\nBaker mailing list\nBaker@lists.example.org\nhttps://lists.example.org/listinfo/baker",
}  # fmt: skip


@pytest.mark.parametrize("footer", LISTS.values(), ids=LISTS)
def test_footers_of_mailing_lists(footer):
    message = read(f"It is late.\n\nSee you,\nMia\n\n{footer}\n")
    assert (message.body, message.signature) == ("It is late.\n\nSee you,\nMia", footer)
    message = read(f"On Mon, 3 May 2021, Bo wrote:\n> Late?\n\nIt is.\n\n{footer}\n")
    assert message.body == "It is."


@pytest.mark.parametrize(
    "text",
    [
        f"One.\n\n{'-' * 40}\nThe bakery is at http://bakery.example\n\nIt is open.",
        f"Bug 7\n{'-' * 40}\nStatus: new\n\nI think it is old. See http://bugs.example/7\n\nMay I close it?",
    ],
)
def test_rules_of_the_author_end_nothing(text):
    assert read(text).body == text


@pytest.mark.parametrize(
    "closing",
    ["Kind regards,", "Mit freundlichen Grüßen", "Cordialement,", "Un saludo,", "Cordiali saluti",
     "Med vänlig hälsning", "S pozdravem", "Üdvözlettel,", "Saygılarımla,", "Με εκτίμηση,", "С уважением,",
     "З повагою,", "Trân trọng,", "此致"],
)  # fmt: skip
def test_closing_formulas(closing):
    message = read(f"It is late.\n\n{closing}\nMia\n")
    assert (message.body, message.signature) == ("It is late.", f"{closing}\nMia")
