"""Small files that unfold into much: each is made when it is asked for."""

import io
import zipfile
from collections.abc import Callable

_NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_MAIN}.sheet.main+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_MAIN}.sharedStrings+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    "</Relationships>",
}
OK = (
    '<row r="1"><c t="inlineStr"><is><t>metin</t></is></c></row>'
    '<row r="2"><c t="inlineStr"><is><t>iyi</t></is></c></row>'
)


def sheet(body: str) -> str:
    """A sheet's part."""
    return f"<worksheet {_NS}><sheetData>{body}</sheetData></worksheet>"


def workbook(first: str, *, sheets: int = 1, strings: str = "") -> bytes:
    """An .xlsx whose sheets are all the same part, packed well."""
    names = "".join(
        f'<sheet name="s{number}" sheetId="{number}" r:id="rId1"/>'
        for number in range(1, sheets + 1)
    )
    parts = _PARTS | {
        "xl/workbook.xml": f'<workbook {_NS} xmlns:r="{_OFFICE}">'
        f"<sheets>{names}</sheets></workbook>",
        "xl/worksheets/sheet1.xml": first,
        "xl/sharedStrings.xml": f"<sst {_NS}>{strings}</sst>",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


_LAUGHS = "".join(
    f'<!ENTITY {chr(98 + place)} "{f"&{chr(97 + place)};" * 10}">' for place in range(9)
)
_WIDE_ROWS = "".join(f'<row r="{row}"><c r="XFD{row}"><v>1</v></c></row>' for row in range(1, 1900))

BOMBS: dict[str, Callable[[], bytes]] = {
    "too_large.xlsx": lambda: workbook(sheet(OK) + " " * 200_000_000),
    "wide.xlsx": lambda: workbook(sheet(_WIDE_ROWS)),
    "far_row.xlsx": lambda: workbook(sheet('<row r="1000000000"><c><v>1</v></c></row>')),
    "laughs.xlsx": lambda: workbook(
        f'<!DOCTYPE l [<!ENTITY a "ha">{_LAUGHS}]>'
        + sheet('<row><c t="inlineStr"><is><t>&j;</t></is></c></row>')
    ),
    "text.xlsx": lambda: workbook(
        sheet(f'<row><c t="inlineStr"><is><t>{"a" * 50_000_000}</t></is></c></row>' + OK)
    ),
    "no_end.xlsx": lambda: workbook(f"<worksheet {_NS}><sheetData>{OK}"),
    "columns.csv": lambda: b"," * 5_000_000 + b"metin\niyi\n",
    "one_line.csv": lambda: b"a" * 20_000_000,
    "quote.csv": lambda: b'metin\n"' + b"a\n" * 5_000_000,
    "one_line.txt": lambda: b"a " * 10_000_000,
    "zeros.csv": lambda: b"\0" * 10_000_000,
    "workbook.csv": lambda: workbook(sheet(OK)),
}
