"""Mark-up of mail clients: quotes, their introductions, signatures and what is not displayed, in no known language."""

import pytest

from xplain.emails import comment_from_raw_email

MIA = "Mia &lt;mia@berg.example&gt;"
# In no language of which anything is known here.
LINE = f"Alhamisi, 7 Okt 2021 saa 17:08 {MIA} aliandika:"
FIELDS = f"<b>Kutoka:</b> {MIA}<br><b>Imetumwa:</b> 7 Okt 2021 17:08<br><b>Kwa:</b> Bo<br><b>Mada:</b> Bread"
OUTLOOK = "border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"

CLIENTS = {
    "gmail": f'<div class="gmail_quote"><div class="gmail_attr">{LINE}<br></div><blockquote class="gmail_quote">One.'
    "</blockquote></div>",
    "apple": f'<blockquote type="cite"><div>{LINE}</div><br><div>One.</div></blockquote>',
    "ios": f'<br><blockquote type="cite">{LINE}<br><br></blockquote><blockquote type="cite">One.</blockquote>',
    "thunderbird": f'<div class="moz-cite-prefix">{LINE}<br></div><blockquote cite="mid:1@a">One.</blockquote>',
    "yahoo": f'<div id="yahoo_quoted_17" class="ydp1234567yahoo_quoted"><div>{LINE}</div><br><p>One.</p></div>',
    "proton": f'<div class="protonmail_quote">{LINE}<br><blockquote class="protonmail_quote">One.</blockquote></div>',
    "roundcube": f'<p id="reply-intro">{LINE}</p><blockquote type="cite">One.</blockquote>',
    "mailspring": f'<div class="gmail_quote_attribution">{LINE}</div><blockquote class="gmail_quote">One.</blockquote>',
    "spark": f'<div name="messageReplySection">{LINE}<br><blockquote type="cite">One.</blockquote></div>',
    "a border": f'<div>{LINE}</div><blockquote style="border-left:1px solid">One.</blockquote>',
    "a border around both": f'<blockquote style="border-left:1px solid">{LINE}<br><br><div>One.</div></blockquote>',
    "outlook on the web": f'<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">{FIELDS}</div><div>One.</div>',
    "outlook quoted once more": f'<hr><div id="x_divRplyFwdMsg">{FIELDS}</div><div>One.</div>',
    "outlook": f'<div><div style="{OUTLOOK}"><p>{FIELDS}</p></div></div><p>One.</p>',
    "outlook express": f'<div class="OutlookMessageHeader"><hr>{FIELDS}</div><div>One.</div>',
    "new outlook": f'<div id="mail-editor-reference-message-container"><div style="{OUTLOOK}">{FIELDS}</div>One.</div>',
    "outlook for mac": f'<span id="OLK_SRC_BODY_SECTION"><div>{FIELDS}</div><div>One.</div></span>',
    "zimbra": f'<hr><div data-marker="__HEADERS__">{FIELDS}</div><div data-marker="__QUOTED_TEXT__">One.</div>',
    "forwarded by gmail": '<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>'
    f"{FIELDS}<br></div><br>One.</div>",
}


def read(html):
    return comment_from_raw_email({"body": {"html": html}, "headers": {"parsed": {}}}).messages


@pytest.mark.parametrize("markup", CLIENTS.values(), ids=CLIENTS)
def test_mark_up_tells_without_any_language(markup):
    newest, earlier = read(f"<div>Agreed.</div>{markup}")
    assert (newest.body, earlier.body) == ("Agreed.", "One.")
    assert earlier.from_ == "Mia <mia@berg.example>"


def test_answers_within_a_quote_are_the_authors():
    html = f'<div class="gmail_quote"><div class="gmail_attr">{LINE}</div><blockquote class="gmail_quote">One?'
    newest, earlier = read(
        html + '</blockquote><div>Yes.</div><blockquote class="gmail_quote">Two?</blockquote>No.</div>'
    )
    assert (newest.body.split(), earlier.body.split()) == (["Yes.", "No."], ["One?", "Two?"])


def test_text_in_the_element_of_the_attribution_is_kept():
    prefix = f'<div class="moz-cite-prefix">Agreed.<br><br>{LINE}<br></div>'
    newest, earlier = read(prefix + '<blockquote type="cite">One.</blockquote>')
    assert (newest.body, earlier.body) == ("Agreed.", "One.")


def test_a_blockquote_of_the_author_is_none_of_a_client():
    (message,) = read("<p>The law says:</p><blockquote>Whoever is late</blockquote><p>So come.</p>")
    assert message.body == "The law says:\n\nWhoever is late\n\nSo come."


@pytest.mark.parametrize(
    "hidden",
    [
        '<div style="display:none">{}</div>',
        '<div style="DISPLAY: NONE !important; font-size:1px">{}</div>',
        '<span style="color:#fff;visibility:hidden">a <span>b</span> {}</span>',
        '<table><tr><td style="max-height:0px;overflow:hidden;display:none">{}</td></tr></table>',
        "<p hidden>{}<img alt='a cat'></p>",
        '<div style="color:transparent;opacity:0;width:0">{}</div>',
        '<div style="max-height:0;overflow:hidden">{}</div>',
    ],
)
def test_what_is_not_displayed_is_no_text(hidden):
    (message,) = read(hidden.format("Only <b>today</b>!") + "<p>Agreed.</p>")
    assert message.body == "Agreed."


def test_paragraphs_end_where_the_next_begins():
    (message,) = read("<p style='display:none'>hidden<p>One.<ul><li hidden>a<li>b</ul>")
    assert message.body == "One.\n\n- b"


@pytest.mark.parametrize(
    ("alternative", "text"),
    [("2aa3ed95.png", ""), ("image001.JPG", ""), ("cid:7@a", ""), ("My photo 1.jpeg", ""),
     ("a cat", "a cat"), ("Fig. 1", "Fig. 1")],
)  # fmt: skip
def test_names_of_image_files_are_no_text(alternative, text):
    (message,) = read(f"<p>Look: <img alt='{alternative}' src='http://x/y'></p>")
    assert message.body == f"Look: {text}".strip()


@pytest.mark.parametrize(
    "mark",
    ['class="gmail_signature"', 'class="moz-signature"', 'id="AppleMailSignature"', 'id="ms-outlook-mobile-signature"',
     'id="ymail_android_signature"', 'class="protonmail_signature_block"', 'id="Signature"', 'id="x_Signature"',
     'id="composer_signature"', 'class="tutanota_signature"'],
)  # fmt: skip
def test_signatures_that_clients_mark(mark):
    (message,) = read(f"<div>Agreed.</div><div {mark}>Mia Berg<br>Baker</div>")
    assert (message.body, message.signature) == ("Agreed.", "Mia Berg\nBaker")
