"""Attribution lines of many clients and languages: the quote is split off, its author and time are right or None."""

import pytest

from xplain.emails import comment_from_email

HEADER = b"Content-Type: text/plain; charset=utf-8\n\n"
ADDRESS = "Mia Berg <mia@berg.example>"
AFTERNOON = "2021-10-07T17:08:00"


def split(text):
    return comment_from_email(HEADER + text.encode()).messages


# What Gmail writes in the language of its user, for Thursday, 7 October 2021, 17:08.
GMAIL = {
    "ar": "في الخميس، 7 أكتوبر 2021 في 5:08 م تمت كتابة ما يلي بواسطة {}:",
    "bg": "На чт, 7.10.2021 г. в 17:08 ч. {} написа:",
    "ca": "Missatge de {} del dia dj., 7 d’oct. 2021 a les 17:08:",
    "cs": "čt 7. 10. 2021 v 17:08 odesílatel {} napsal:",
    "da": "Den tor. 7. okt. 2021 kl. 17.08 skrev {}:",
    "de": "Am Do., 7. Okt. 2021 um 17:08 Uhr schrieb {}:",
    "el": "Στις Πέμ 7 Οκτ 2021 στις 5:08 μ.μ., ο/η {} έγραψε:",
    "en-GB": "On Thu, 7 Oct 2021 at 17:08, {} wrote:",
    "en-US": "On Thu, Oct 7, 2021 at 5:08 PM {} wrote:",
    "es": "El jue, 7 oct 2021 a las 17:08, {} escribió:",
    "es-MX": "El jue, 7 oct 2021 a las 5:08 p. m., {} escribió:",
    "et": "Kontakt {} kirjutas kuupäeval N, 7. oktoober 2021 kell 17:08:",
    "fa": "در تاریخ پنجشنبه ۷ اکتبر ۲۰۲۱،‏ ۱۷:۰۸ {} نوشت:",
    "fi": "to 7. lokak. 2021 klo 17.08 {} kirjoitti:",
    "fil": "Noong Huw, Okt 7, 2021 nang 5:08 PM, sinulat ni {} ang:",
    "fr": "Le jeu. 7 oct. 2021 à 17:08, {} a écrit :",
    "he": "\u202bבתאריך יום ה׳, 7 באוק׳ 2021 ב-17:08 מאת \u202a{}\u202c:\u202c",
    "hi": "7 अक्टू॰ 2021 को 17:08 बजे को {} ने लिखा:",
    "hr": "čet, 7. lis 2021. u 17:08 {} napisao je:",
    "hu": "{} ezt írta (időpont: 2021. okt. 7., Cs, 17:08):",
    "id": "Pada tanggal Kam, 7 Okt 2021 pukul 17.08 {} menulis:",
    "it": "Il giorno gio 7 ott 2021 alle ore 17:08 {} ha scritto:",
    "ja": "2021年10月7日(木) 17:08 {}:",
    "ko": "2021년 10월 7일 (목) 오후 5:08, {}님이 작성:",
    "lt": "2021-10-07, kt, 17:08 {} rašė:",
    "lv": "ceturtd., 2021. g. 7. okt., plkst. 17:08 — lietotājs {} rakstīja:",
    "nb": "tor. 7. okt. 2021 kl. 17:08 skrev {}:",
    "nl": "Op do 7 okt. 2021 om 17:08 schreef {}:",
    "pl": "czw., 7 paź 2021 o 17:08 {} napisał(a):",
    "pt": "Em qui., 7 de out. de 2021 às 17:08, {} escreveu:",
    "ro": "În joi, 7 oct. 2021 la 17:08, {} a scris:",
    "ru": "чт, 7 окт. 2021 г. в 17:08, {}:",
    "sk": "št 7. 10. 2021 o 17:08 {} napísal(a):",
    "sl": "V V čet., 7. okt. 2021 ob 17:08 je oseba {} napisala:",
    "sr": "чет, 7. окт 2021. у 17:08 {} је написао/ла:",
    "sv": "Den tors 7 okt. 2021 kl 17:08 skrev {}:",
    "th": "ในวันที่ พฤ. 7 ต.ค. 2021 เวลา 17:08 {} เขียนว่า:",
    "tr": "{}, 7 Eki 2021 Per, 17:08 tarihinde şunu yazdı:",
    "uk": "чт, 7 жовт. 2021 р. о 17:08 {} пише:",
    "vi": "Vào Th 5, 7 thg 10, 2021 vào lúc 17:08 {} đã viết:",
    "zh-CN": "{} 于2021年10月7日周四 17:08写道：",
    "zh-TW": "{} 於 2021年10月7日 週四 下午5:08寫道：",
}
# Other clients: without the address, with the verb elsewhere or without one, in digits.
OTHERS = {
    "apple es": "El 7 oct 2021, a las 17:08, {} escribió:",
    "apple sv": "7 okt. 2021 kl. 17:08 skrev {}:",
    "apple zh": "在 2021年10月7日，下午5:08，{} 写道：",
    "apple ja": "2021/10/07 17:08、{}のメール：",
    "apple hour without a colon": "Il giorno 7 ott 2021, alle ore 17.08, {} ha scritto:",
    "korean clock, english verb": "On 2021-10-07 오후 5:08, {} wrote:",
    "german days, english verb": "On Do., 7. Okt. 2021 um 17:08 Uhr {} wrote:",
    "yandex": "07.10.2021, 17:08, {}:",
    "old gmail": "2021-10-07 17:08 GMT+02:00 {}:",
    "my.com": "Thursday, 7 October 2021, 05:08PM +02:00 from {}:",
    "mail.ru": "Четверг, 7 октября 2021, 17:08 +02:00 от {}:",
    "zoho": "---- On Thu, 07 Oct 2021 17:08:00 +0200 {} wrote ----",
    "no colon": "On Thu, Oct 7, 2021 at 5:08 PM {} wrote",
    "sent": "On Oct 7, 2021, at 5:08 PM, {} sent:",
    "outlook dutch": "Op 7-okt.-2021, om 17:08 heeft {} het volgende geschreven:",
    "author first": "{} schrieb am Do., 7. Okt. 2021, 17:08:",
    "italian, in data": "In data 7 ottobre 2021 17:08, {} ha scritto:",
    "polish, dnia": "Dnia 7 października 2021 17:08 {} napisał(a):",
    "no verb known": "Alh. 7 Okt. 2021 17:08 {} aliandika:",
    "apple pl": "Wiadomość napisana przez {} w dniu 7 paź 2021, o godz. 17:08:",
    "brackets twice": "On Oct 7, 2021, at 5:08 PM, <{}> wrote:",
    "quotes around both": '在 2021-10-07 17:08:00，"{}" 写道：',
    "aol": "In a message dated 10/7/2021 5:08:00 PM W. Europe Standard Time, {} writes:",
}


@pytest.mark.parametrize("quoted", ["> One.\n> Two.", "One.\nTwo."], ids=["marked", "unmarked"])
@pytest.mark.parametrize("line", [*GMAIL.values(), *OTHERS.values()], ids=[*GMAIL, *OTHERS])
def test_quotes_are_split_off_in_any_language(line, quoted):
    if "aliandika" in line:  # in a language that is not known: believed before what is marked as quoted
        quoted = "> One.\n> Two."
    newest, earlier = split(f"Agreed.\n\n{line.format(ADDRESS)}\n\n{quoted}\n")
    assert (newest.body, newest.signature, earlier.body) == ("Agreed.", "", "One.\nTwo.")
    assert earlier.from_ == ADDRESS
    if "10/7/2021" in line:
        assert earlier.sent_at is None  # the seventh of October, or the tenth of July
    else:
        assert (earlier.sent_at or "")[:19] == AFTERNOON


THUNDERBIRD = {
    "da": "Den 07.10.2021 kl. 17.08 skrev Mia Berg:",
    "de": "Am 07.10.21 um 17:08 schrieb Mia Berg:",
    "fi": "7.10.2021 17.08, Mia Berg kirjoitti:",
    "fr": "Le 07/10/2021 à 17:08, Mia Berg a écrit :",
    "hu": "2021. október 7. 17:08 keltezéssel, Mia Berg írta:",
    "it": "Il 07/10/2021 17:08, Mia Berg ha scritto:",
    "nl": "Op 7-10-2021 om 17:08 schreef Mia Berg:",
    "pl": "W dniu 7.10.2021 o 17:08, Mia Berg pisze:",
    "ru": "07.10.2021 17:08, Mia Berg пишет:",
    "sv": "Den 2021-10-07 kl. 17:08, skrev Mia Berg:",
}


@pytest.mark.parametrize("line", THUNDERBIRD.values(), ids=THUNDERBIRD)
def test_authors_without_an_address(line):
    newest, earlier = split(f"Agreed.\n\n{line}\n> One.\n")
    assert (newest.body, earlier.body) == ("Agreed.", "One.")
    assert (earlier.from_, earlier.sent_at) == ("Mia Berg", AFTERNOON)


@pytest.mark.parametrize(
    ("line", "sent_at"),
    [
        ("Le mar. 5 oct. 2021 à 10:22, {} a écrit :", "2021-10-05T10:22:00"),  # Tuesday, not March
        ("El mar, 5 oct 2021 a las 10:22, {} escribió:", "2021-10-05T10:22:00"),
        ("El mar, 2 mar 2021 a las 10:22, {} escribió:", "2021-03-02T10:22:00"),
        ("Il giorno mar 5 ott 2021 alle ore 10:22 {} ha scritto:", "2021-10-05T10:22:00"),
        ("On 10/7/21 5:08 PM, {} wrote:", None),  # the day or the month first
        ("On 13/7/2021 17:08, {} wrote:", "2021-07-13T17:08:00"),
        ("7. lip 2021. u 17:08 {} napisao je:", "2021-06-07T17:08:00"),  # June in Croatian, July in Polish
        ("7 lip 2021 o 17:08 {} napisał(a):", "2021-07-07T17:08:00"),
        ("7 lip 2021 17:08, {}:", None),
        ("2021-10-07 5:08 alasiri {}:", None),  # a word that may say which half of the day it is
        ("On Thu, Oct 7, 2021 at 12:08 AM {} wrote:", "2021-10-07T00:08:00"),
        ("On Thu, Oct 7, 2021 at 12:08 PM {} wrote:", "2021-10-07T12:08:00"),
        ("On Thu, Oct 7, 2021 at 5:08 PM -0800, {} wrote:", "2021-10-07T17:08:00-08:00"),
        ("Den tor. 7. okt. 2021 kl. 17.08 skrev {}:", AFTERNOON),
        ("On Thursday, October 7th, 2021 at 5:08 PM, {} wrote:", AFTERNOON),
        ("Pada Kha, 7 Okt 2021 pada 5:08 PTG {} menulis:", AFTERNOON),
        ("El 7 oct 2021 a las 5:08 de la tarde, {} escribió:", AFTERNOON),
        # Parts of the day: "la nuit" and "रात" have hours of both halves.
        ("7 अक्टू॰ 2021 को, रात 5:08 बजे, {} ने लिखा:", None),
        ("Le 7 oct. 2021 à 5:08 du soir, {} a écrit :", None),
        ("Il 7 ott 2021 alle 5:08 di sera {} ha scritto:", None),
        ("Am 7.10.2021 um 5:08 abends schrieb {}:", None),
        ("On 7 Oct 2021 at 5:08 in the evening, {} wrote:", None),
        ("在2021年10月7日夜里5:08，{} 写道：", None),
        ("2021년 10월 7일 저녁 5:08, {}님이 작성:", None),
        ("Noong Okt 7, 2021 nang 5:08 NH, sinulat ni {}:", None),
        ("Le 7 oct. 2021 à 17:08 du soir, {} a écrit :", AFTERNOON),
        # A day without a clock, and a year of which only two digits are known.
        ("On Thu, 7 Oct 2021, {} wrote:", None),
        ("On Thu, 7 Oct 21 17:08:00 EST, {} wrote:", None),
        ("On Feb 30, 2021, at 5:08 PM, {} wrote:", None),
        ("On Oct 7, {} wrote:", None),
    ],
)
def test_times_are_right_or_none(line, sent_at):
    newest, earlier = split(f"Agreed.\n\n{line.format(ADDRESS)}\n\n> One.\n")
    assert (newest.body, earlier.from_, earlier.sent_at) == ("Agreed.", ADDRESS, sent_at)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("I will come. On Thu, Oct 7, 2021 at 5:08 PM {} wrote:", "I will come."),
        ("Ich komme. Am Do., 7. Okt. 2021 um 17:08 Uhr schrieb {}:", "Ich komme."),
        ("Je viens ! Le jeu. 7 oct. 2021 à 17:08, {} a écrit :", "Je viens !"),
        ("Voy... El jue, 7 oct 2021 a las 17:08, {} escribió:", "Voy..."),
        ("Ja. Op do 7 okt. 2021 om 17:08 schreef {}:", "Ja."),
        ("Jeg kommer. tor. 7. okt. 2021 kl. 17:08 skrev {}:", "Jeg kommer."),
        ("Приду. чт, 7 окт. 2021 г. в 17:08, {}:", "Приду."),
        ("agreed--- On Thu, Oct 7, 2021 at 5:08 PM, {} wrote:", "agreed"),
    ],
)
def test_a_sentence_before_the_line_is_kept(text, body):
    newest, earlier = split(text.format(ADDRESS) + "\n> One.")
    assert newest.body == body
    assert (earlier.body, earlier.from_, earlier.sent_at) == ("One.", ADDRESS, AFTERNOON)


@pytest.mark.parametrize(
    "line",
    [
        "On Thu, Oct 7, 2021 at 5:08 PM Mia Berg <\nmia@berg.example> wrote:",
        "On Thu, Oct 7, 2021 at 5:08 PM Mia Berg\n<mia@berg.example>\nwrote:",
        "On 7 October 2021 17:08, Mia Berg <\nmia@berg.example>wrote:",
        "Am Do., 7. Okt. 2021 um 17:08 Uhr schrieb Mia Berg <\nmia@berg.example>:",
        "Mia Berg <mia@berg.example> schrieb am Do., 7.\nOkt. 2021, 17:08:",
        "Dne čt 7. říj. 2021 17:08 Mia Berg <mia@berg.example>\nnapsal(a):",
        "2021年10月7日(木) 17:08 Mia Berg <\nmia@berg.example>:",
        "Mia Berg <mia@berg.example>, 7 Eki 2021 Per, 17:08 tarihinde şunu\nyazdı:",
        "Mia Berg <mia@berg.example> ezt írta (időpont: 2021. okt. 7., Cs,\n17:08):",
    ],
)
@pytest.mark.parametrize("before", ["Agreed.\n\n", "We will\ncome.\n"], ids=["paragraph", "same paragraph"])
def test_wrapped_lines(before, line):
    newest, earlier = split(f"{before}{line}\n\n> One.\n")
    assert (newest.body, earlier.body) == (before.strip(), "One.")
    assert (earlier.from_, earlier.sent_at) == (ADDRESS, AFTERNOON)


@pytest.mark.parametrize(
    "text",
    [
        "Please look at what the customer wrote:\n> it is broken\n\nCan you help?",
        "As they wrote:\n> it is broken\n\nCan you help?",
        "Wie der Kunde schrieb:\n> kaputt\n\nHilfst du?",
        "Comme le client a écrit :\n> cassé\n\nUne idée ?",
        "Mira lo que el cliente escribió:\n> roto\n\n¿Qué hago?",
    ],
)
def test_a_sentence_that_introduces_a_quote_is_no_attribution(text):
    newest, earlier = split(text)
    sentence, _, _, question = text.split("\n")
    assert newest.body == f"{sentence}\n\n{question}"
    assert (earlier.from_, earlier.sent_at) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "On 3 May 2021 at 21:05, Kim <kim@p.org> wrote to us that:\n\nit is late",
        "The meeting on 14 March 2021 at 09:12 with Kim <kim@p.org> had these results:\n\n- one\n- two",
        "On page 7 Kim wrote:\n\nnothing at all",
        "Listen.\n\nOn Monday at 9:12 Kim said:\n\nIt is late.",
        "Listen.\n\nOn 3 May 2021 Kim said:\n\nIt is late.",
        "We wrote on 3 May 2020 that:\n\n1. a\n2. b",
        "Formats:\n\n2024-01-15 14:30:25\n15.01.2024 14:30\nJan 15, 2024 at 14:30\n\nThat is all.",
        "On 3 May 2020 at 9:00 I wrote:\n\nfoo",
        "On the surface, this looks like it.\n\nOn average, it is not.",
    ],
)
def test_sentences_stay(text):
    (message,) = split(text)
    assert message.body == text


def test_the_line_may_be_within_the_quote():
    newest, middle, oldest = split(
        "Agreed.\n\n> On Oct 7, 2021, at 5:08 PM, Mia Berg <mia@berg.example> wrote:\n>\n> One.\n>\n"
        ">> On Oct 6, 2021, at 9:00 AM, Bo Ek <bo@ek.example> wrote:\n>>\n>> Zero.\n"
    )
    assert [m.body for m in (newest, middle, oldest)] == ["Agreed.", "One.", "Zero."]
    assert (middle.from_, middle.sent_at) == (ADDRESS, AFTERNOON)
    assert (oldest.from_, oldest.sent_at) == ("Bo Ek <bo@ek.example>", "2021-10-06T09:00:00")


def test_quotes_of_two_authors_are_two_messages():
    newest, mia, bo = split(
        f"On Oct 7, 2021, at 5:08 PM, {ADDRESS} wrote:\n> One?\nYes.\n\n"
        "On Oct 6, 2021, at 9:00 AM, Bo Ek <bo@ek.example> wrote:\n> Two?\nNo.\n"
    )
    assert (newest.body, mia.body, bo.body) == ("Yes.\n\nNo.", "One?", "Two?")
    assert (mia.from_, bo.from_) == (ADDRESS, "Bo Ek <bo@ek.example>")


def test_a_rule_above_the_line_belongs_to_it():
    newest, earlier = split(
        f"Agreed.\n\n-------- Original Message --------\nOn 7 Oct 2021, 17:08, {ADDRESS} wrote:\n\nOne.\n"
    )
    assert (newest.body, earlier.body, earlier.from_, earlier.sent_at) == ("Agreed.", "One.", ADDRESS, AFTERNOON)


@pytest.mark.parametrize("mark", ["> ", ">"])
def test_a_link_that_is_broken_before_its_bracket(mark):
    (message,) = split(f"See <https://berg.example/bread?id=1\n{mark}and tell me.")
    assert message.body == "See <https://berg.example/bread?id=1>" + (
        " and tell me." if mark == "> " else "and tell me."
    )
    newest, earlier = split("See 3 < 4\n> One.")
    assert (newest.body, earlier.body) == ("See 3 < 4", "One.")
