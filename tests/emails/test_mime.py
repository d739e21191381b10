"""Bodies and headers as they are sent: parts, transfer encodings, charsets, broken fields."""

import base64

import pytest

from xplain.emails import Attachment, comment_from_email
from xplain.emails.charsets import decode_bytes
from xplain.emails.times import header_time


def body(mail):
    return comment_from_email(mail).messages[0].body


def multipart(*parts, kind="mixed", parameters=""):
    head = f"Content-Type: multipart/{kind}; boundary=b{parameters}\n\n".encode()
    return head + b"".join(b"--b\n" + part + b"\n" for part in parts) + b"--b--\n"


@pytest.mark.parametrize(
    "name",
    ["base64 ", "base64;", '"base64"', "BASE64", "base64 (RFC 2045)", " Base64\t", "base64; charset=utf-8",
     "8bit, base64"],
)  # fmt: skip
def test_transfer_encodings_in_any_spelling(name):
    assert (
        body(b"Content-Transfer-Encoding: " + name.encode() + b"\n\n" + base64.b64encode(b"It is late."))
        == "It is late."
    )


@pytest.mark.parametrize(
    "name", ["quoted-printable", "Quoted-Printable;", '"quoted-printable"', "quoted_printable", "quoted-printable; x=y"]
)
def test_quoted_printable_in_any_spelling(name):
    mail = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {name}\n\nZ=C3=BCrich".encode()
    assert body(mail) == "Zürich"


def test_an_unknown_transfer_encoding_is_said():
    comment = comment_from_email(b"Content-Transfer-Encoding: x-zip\n\nIt is late.")
    assert comment.messages[0].body == "It is late."
    assert comment.defects == ("transfer encoding 'x-zip' is not known, read as it stands",)


def test_the_footer_below_base64_is_not_decoded():
    text = "Grüße aus Zürich, wo es wieder einmal so spät ist, dass ich nicht mehr komme. Bis morgen!"
    footer = "_" * 47 + "\nBaker mailing list\nhttps://lists.example/listinfo/baker"
    head = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    comment = comment_from_email((head + base64.encodebytes(text.encode()).decode() + footer + "\n").encode())
    assert (comment.messages[0].body, comment.messages[0].signature, comment.defects) == (text, footer, ())


def test_a_multipart_under_base64():
    inner = multipart(b"Content-Type: text/plain\n\nIt is late.").partition(b"\n\n")[2]
    head = b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n"
    assert body(head + base64.encodebytes(inner)) == "It is late."


def test_a_multipart_without_a_boundary():
    mail = multipart(b"Content-Type: text/plain\n\nIt is late.").replace(b"; boundary=b", b"")
    comment = comment_from_email(mail)
    assert comment.messages[0].body == "It is late."
    assert comment.defects == ("a multipart names no boundary, its first line is taken for it",)


@pytest.mark.parametrize("disposition", [b"", b"Content-Disposition: inline; filename=message.txt\n"])
def test_the_only_text_is_the_body_though_it_has_a_name(disposition):
    part = b'Content-Type: text/plain; name="message.txt"\n' + disposition + b"\nIt is late."
    assert body(part) == body(multipart(part)) == "It is late."
    both = comment_from_email(multipart(b"Content-Type: text/plain\n\nSee the file.", part))
    assert both.messages[0].body == "See the file."
    assert both.attachments == (Attachment("message.txt", 11, "text/plain"),)


@pytest.mark.parametrize(
    ("head", "attachment"),
    [
        ("Content-Type: text/csv\nContent-Disposition: attachment", Attachment("", 3, "text/csv")),
        ("Content-Type: text/csv; name=a.csv", Attachment("a.csv", 3, "text/csv")),
        ("Content-Type: text/calendar", Attachment("", 3, "text/calendar")),
        (
            "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt",
            Attachment("a.txt", 3, "text/plain"),
        ),
        ("Content-Type: application; name=a.bin", Attachment("a.bin", 3, "application/octet-stream")),
        ("Content-Type: image/png", Attachment("", 3, "image/png")),
    ],
)
def test_a_mail_that_is_one_file_has_no_body(head, attachment):
    comment = comment_from_email(f"{head}\n\na,b".encode())
    assert (comment.messages[0].body, comment.attachments) == ("", (attachment,))


def test_the_root_of_related_parts_is_the_one_that_is_named():
    image = b"Content-Type: image/png; name=a.png\nContent-ID: <i>\n\nx"
    root = b"Content-Type: text/html\nContent-ID: <root>\n\n<p>It is late."
    assert body(multipart(image, root, kind="related", parameters='; start="<root>"')) == "It is late."
    assert body(multipart(image, root, kind="related")) == "It is late."


def test_tnef_is_named():
    for kind in (b"application/ms-tnef", b"application/octet-stream; name=winmail.dat"):
        comment = comment_from_email(multipart(b"Content-Type: " + kind + b"\n\nx"))
        assert comment.messages[0].body == ""
        assert "is in Microsoft's format TNEF, its text and files are not read" in comment.defects[0]


def test_uuencoded_files_are_attachments():
    text = (
        "See:\n\nbegin 644 a.txt\n#8V%T\n`\nend\n\nbegin 755 b.bin\n#9&]G\n \nend\nBye.\nbegin 644 ways to leave\nnow"
    )
    comment = comment_from_email(b"Content-Type: text/plain\n\n" + text.encode())
    assert comment.messages[0].body == "See:\n\nBye.\nbegin 644 ways to leave\nnow"
    assert [(file.name, file.size) for file in comment.attachments] == [("a.txt", 3), ("b.bin", 3)]


@pytest.mark.parametrize(
    ("parameters", "sent", "text"),
    [
        ("; delsp=yes", "明日の会議に出席できませ \nん。\n", "明日の会議に出席できません。"),
        ("", "It is so \nlate.\n\nCome  \nnow.", "It is so late.\n\nCome  now."),
        ("", " From here\n >no quote\n", "From here"),
        ("", "Agreed. \n-- \nMia", "Agreed."),
        ("", "> One \n> two.\nYes \nit is.", "Yes it is."),
    ],
)
def test_flowed_text(parameters, sent, text):
    head = f"Content-Type: text/plain; charset=utf-8; format=flowed{parameters}\n\n"
    assert body((head + sent).encode()) == text


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("utf-8", b"\xef\xbb\xbfIt is late.", "It is late."),
        ("iso-8859-1", b"\xef\xbb\xbfZ\xc3\xbcrich", "Zürich"),
        ("utf-16", "Zürich".encode("utf-16"), "Zürich"),
        ("unicode", "Zürich".encode("utf-16-le"), "Zürich"),
        ("x-sjis", "早い①髙".encode("cp932"), "早い①髙"),
        ("shift_jis", "早い①".encode("cp932"), "早い①"),
        ("iso-2022-jp", b"\x1b$B\x41\x61\x24\x24\x2d\x21\x1b(B", "早い①"),
        ("euc-jp", b"\xc1\xe1\xad\xa1", "早①"),
        ("x-gbk", "镕€".encode("gb18030"), "镕€"),
        ("ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
        ("big5", "香港".encode("big5"), "香港"),
        ("x-x-big5", "香港".encode("big5"), "香港"),
        ("tis-620", "ภาษา".encode("cp874"), "ภาษา"),
        ("iso-8859-8-i", "שלום".encode("iso8859-8"), "שלום"),
        ("logical", "שלום".encode("iso8859-8"), "שלום"),
        ("iso88592", "Łódź".encode("iso8859-2"), "Łódź"),
        ("windows1251", "Привет".encode("cp1251"), "Привет"),
        ("x-cp1251", "Привет".encode("cp1251"), "Привет"),
        ("x-mac-cyrillic", "Привет".encode("mac-cyrillic"), "Привет"),
        ("koi", "Привет".encode("koi8-r"), "Привет"),
        ("l5", "İğş".encode("cp1254"), "İğş"),
        ("latin1", b"\x80 5 \x81", "€ 5 \x81"),
        ("unicode-1-1-utf-8", "Zürich".encode(), "Zürich"),
        ("'utf-8';", "Zürich".encode(), "Zürich"),
    ],
)
def test_labels_mean_what_they_mean_in_browsers(label, data, text):
    defects = []
    assert decode_bytes(data, label, "text", defects) == text
    assert defects == []


def test_a_few_broken_bytes_do_not_change_the_charset():
    defects = []
    assert decode_bytes("Привет, мир".encode() + b"\xd0", "utf-8", "text", defects) == "Привет, мир\ufffd"
    assert defects == ["text holds 1 bytes that are not 'utf-8', replaced"]


@pytest.mark.parametrize(
    "declared",
    ["<meta charset=windows-1251>", '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
     '<?xml version="1.0" encoding="windows-1251"?>'],
)  # fmt: skip
@pytest.mark.parametrize("head", [b"", b"; charset=us-ascii"])
def test_a_page_declares_its_charset(declared, head):
    page = f"<html><head>{declared}</head><p>Привет</p>".encode("cp1251")
    assert body(b"Content-Type: text/html" + head + b"\n\n" + page) == "Привет"
    assert (
        body(b"Content-Type: text/html; charset=koi8-r\n\n<meta charset=utf-8>" + "Привет".encode("koi8-r")) == "Привет"
    )


def test_names_are_decoded_after_a_list_is_split():
    comment = comment_from_email(
        b"From: =?utf-8?q?Berg=2C_Mia?= <mia@b.example>\n"
        b'To: =?utf-8?b?WsO8cmljaDsgQmVybg==?= <z@b.example>, "Ek, Bo" <bo@e.example>,\n'
        b" =?utf-8?q?J=C3=B6rg?= <j@e.example>\n"
        b"Subject: =?utf-8?b?WsO?= =?utf-8?b?8cmljaA==?=\n\nx"
    )
    (message,) = comment.messages
    assert message.from_ == '"Berg, Mia" <mia@b.example>'
    assert message.to == ('"Zürich; Bern" <z@b.example>', '"Ek, Bo" <bo@e.example>', "Jörg <j@e.example>")


def test_a_character_may_be_divided_between_encoded_words():
    mail = b"Subject: =?utf-8?b?WsM=?= =?utf-8?b?vHJpY2g=?=\n\nx"
    assert comment_from_email(mail).messages[0].subject == "Zürich"


@pytest.mark.parametrize(
    ("field", "addresses"),
    [
        ("Undisclosed recipients:;", ()),
        ("undisclosed-recipients: ;", ()),
        ("Team: a@b.example, c@d.example;", ("a@b.example", "c@d.example")),
        ("Team: a@b.example;, e@f.example", ("a@b.example", "e@f.example")),
        ("a@b.example, (end of the group)", ("a@b.example",)),
        ("Bakers: Mia <a@b.example>;, Others:;", ("Mia <a@b.example>",)),
        ('"Team: one" <a@b.example>; c@d.example', ('"Team: one" <a@b.example>', "c@d.example")),
    ],
)
def test_groups_are_no_addresses(field, addresses):
    assert comment_from_email(f"To: {field}\n\nx".encode()).messages[0].to == addresses


def test_headers_that_are_written_otherwise():
    for mail in (
        b"From : Mia <m@b.example>\nSubject : Bread\n\nIt is late.",
        b"\n\nFrom: Mia <m@b.example>\nSubject: Bread\n\nIt is late.",
        b"From m@b.example Mon May  3 09:12:00 2021\nFrom: Mia <m@b.example>\nSubject: Bread\n\nIt is late.",
        b"From: Mia <m@b.example>\n>From m@b.example Mon May  3 09:12:00 2021\nSubject: Bread\n\nIt is late.",
    ):
        comment = comment_from_email(mail)
        (message,) = comment.messages
        assert (message.from_, message.subject, message.body) == ("Mia <m@b.example>", "Bread", "It is late.")
        assert comment.defects == ()
    broken = comment_from_email(b"Subject: Bread\nand butter\nFrom: m@b.example\n\nIt is late.")
    assert (broken.messages[0].subject, broken.messages[0].from_) == ("Bread and butter", "m@b.example")
    assert broken.defects == ("'and butter' in the header is no field",)
    broken = comment_from_email(b"Subject: Bread\none\ntwo\nFrom: m@b.example\n\nIt is late.")
    assert broken.defects == ("'one' in the header is no field, nor are 1 other lines",)
    assert body(b"\nNote: it is late.\nBring: bread") == "Note: it is late.\nBring: bread"


def test_bytes_in_a_header_are_of_the_charset_of_the_text():
    mail = "Subject: Привет\nContent-Type: text/plain; charset=koi8-r\n\nx".encode("koi8-r")
    comment = comment_from_email(mail)
    assert comment.messages[0].subject == "Привет"
    assert comment.defects == ("header subject declares no charset, read as that of the text",)


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("Fri, 14 Mar 2025 11:30:00 PM -0500", "2025-03-14T23:30:00-05:00"),
        ("Fri, 14 Mar 2025 12:30:00 AM +0100", "2025-03-14T00:30:00+01:00"),
        ("Fri, 14 Mar 2025 11:30:00 a.m. GMT", "2025-03-14T11:30:00+00:00"),
        ("Fri, 14 Mar 2025 11:30:00 CEST", "2025-03-14T11:30:00+02:00"),
        ("Fri, 14 Mar 2025 11:30:00 JST", "2025-03-14T11:30:00+09:00"),
        ("Fri, 14 Mar 2025 11:30:00 EDT", "2025-03-14T11:30:00-04:00"),
        ("Fri, 14 Mar 2025 11:30:00 IST", "2025-03-14T11:30:00"),  # of India, Ireland or Israel
        ("Fri, 14 Mar 2025 11:30:00 GMT+03:00", "2025-03-14T11:30:00+03:00"),
        ("Fri, 14 Mar 2025 11:30:00 +0530 (IST)", "2025-03-14T11:30:00+05:30"),
        ("Fri, 14 Mar 2025 11:30:00", "2025-03-14T11:30:00"),
        ("Fri, 14 Mar 2025 11:30:00 -0000", "2025-03-14T11:30:00+00:00"),
        ("Fri Mar 14 11:30:00 2025", "2025-03-14T11:30:00"),
        ("Fri Mar 14 11:30:00 PDT 2025", "2025-03-14T11:30:00-07:00"),
        ("14 Mar 25 11:30 Z", "2025-03-14T11:30:00+00:00"),
        ("ven., 14 mars 2025 11:30:00 +0100", "2025-03-14T11:30:00+01:00"),
        ("2025-03-14T11:30:00+01:00", "2025-03-14T11:30:00+01:00"),
        ("31 Feb 2025 11:30", None),
        ("tomorrow", None),
    ],
)
def test_dates_of_headers(date, time):
    assert header_time(date) == time


@pytest.mark.parametrize(
    "empty",
    ["<style>p {color: red}</style>", "<title>Re: bread</title><p>&nbsp;</p>", "<!-- a -->",
     "<script>1</script><img src='x'>"],
)  # fmt: skip
def test_an_alternative_without_text_is_none(empty):
    parts = b"Content-Type: text/plain\n\nIt is late.", b"Content-Type: text/html\n\n" + empty.encode()
    assert body(multipart(*parts, kind="alternative")) == "It is late."


def test_lines_that_end_with_a_carriage_return_alone():
    comment = comment_from_email(b"From: m@b.example\rSubject: Bread\r\rIt is\rlate.\r> Late?\r")
    assert [message.body for message in comment.messages] == ["It is\nlate.", "Late?"]
    assert (comment.messages[0].from_, comment.messages[0].subject) == ("m@b.example", "Bread")
    assert body(multipart(b"Content-Type: text/plain\n\nIt is late.").replace(b"\n", b"\r")) == "It is late."


@pytest.mark.parametrize("kind", ["markdown", "enriched", "richtext", "x-unknown"])
def test_a_text_of_another_type_is_the_body_if_there_is_no_other(kind):
    other = f"Content-Type: text/{kind}\n\nIt is *late*.".encode()
    assert body(multipart(other)) == "It is *late*."
    assert body(multipart(b"\nAgreed.", other)) == "Agreed."
    assert body(multipart(b"\nAgreed.", other, kind="alternative")) == "Agreed."


@pytest.mark.parametrize(
    "mail",
    [
        multipart(b"Content-Type: application/pgp-encrypted\n\nVersion: 1", kind="encrypted"),
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nMIIB",
        b"Content-Type: application/x-pkcs7-mime; smime-type=signed-data\n\nMIIB",
    ],
)
def test_what_is_encrypted_is_said(mail):
    (defect,) = comment_from_email(mail).defects
    assert "is encrypted or signed as a whole" in defect


def test_a_date_without_a_clock_is_no_time():
    assert header_time("Fri, 14 Mar 2025") is None


def test_names_that_are_written_twice():
    names = b"filename=Z_rich.pdf; filename*=utf-8''Z%C3%BCrich.pdf"
    part = b"Content-Type: application/pdf\nContent-Disposition: attachment; " + names + b"\n\nx"
    (attachment,) = comment_from_email(multipart(part)).attachments
    assert attachment.name == "Zürich.pdf"


@pytest.mark.parametrize(
    ("date", "time"),
    [("20 Dec 103 21:05 +0000", "2003-12-20T21:05:00+00:00"),
     ("Wed, 20 Dec 2023 21.05.33 +0100", "2023-12-20T21:05:33+01:00")],
)  # fmt: skip
def test_dates_of_old_programs(date, time):
    assert header_time(date) == time


def test_an_empty_address_is_none():
    assert comment_from_email(b"To: <>, c@d.example\n\nAgreed.").messages[0].to == ("c@d.example",)


@pytest.mark.parametrize("quoted", [">> One.", "> > One.", "> > One \n> > two."])
def test_marks_of_flowed_text_may_have_spaces_between_them(quoted):
    mail = f"Content-Type: text/plain; format=flowed\n\nAgreed.\n> Late?\n{quoted}\n".encode()
    texts = [message.body for message in comment_from_email(mail).messages]
    assert texts == ["Agreed.", "Late?", "One." if "two" not in quoted else "One two."]


def test_a_text_that_is_signed_in_place():
    armour = "-----BEGIN PGP SIGNATURE-----\nVersion: GnuPG v2\n\niQEz\n=abcd\n-----END PGP SIGNATURE-----\n"
    text = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nIt is late.\n- - Bread\n\n- -- \nMia\n{armour}"
    message = comment_from_email(b"Content-Type: text/plain\n\n" + text.encode()).messages[0]
    assert (message.body, message.signature) == ("It is late.\n- Bread", "Mia")
    assert body(f"Content-Type: text/plain\n\n- a\n- b\n{armour}".encode()) == f"- a\n- b\n{armour}".strip()
