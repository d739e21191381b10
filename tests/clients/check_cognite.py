"""Read Cognite's jobs with the vendor's client: every item must come back with as many predictions as it has.

    python tests/clients/check_cognite.py FILE...

It runs in a virtual environment that holds ``cognite.txt``, without xplain.
"""

import json
import sys
from pathlib import Path

from cognite.client.data_classes.contextualization import VisionExtractJob

LISTS = {
    "textPredictions": "text_predictions",
    "assetTagPredictions": "asset_tag_predictions",
    "peoplePredictions": "people_predictions",
    "industrialObjectPredictions": "industrial_object_predictions",
    "personalProtectiveEquipmentPredictions": "personal_protective_equipment_predictions",
    "digitalGaugePredictions": "digital_gauge_predictions",
    "dialGaugePredictions": "dial_gauge_predictions",
    "levelGaugePredictions": "level_gauge_predictions",
    "valvePredictions": "valve_predictions",
}


def check(document):
    """Return the number of predictions that the client finds, which must be that of the document."""
    job = VisionExtractJob.load(document)
    assert job.status == document["status"]
    count = 0
    for item in document["items"]:
        parsed = job[item["fileId"]]
        assert parsed.file_external_id == item.get("fileExternalId")
        for theirs, attribute in LISTS.items():
            written = item.get("predictions", {}).get(theirs, [])
            read = (parsed.predictions and getattr(parsed.predictions, attribute)) or []
            assert len(read) == len(written), f"{theirs} of {item['fileId']}: {len(read)} of {len(written)}"
            count += len(read)
    return count


def main():
    for name in sys.argv[1:]:
        try:
            count = check(json.loads(Path(name).read_text(encoding="utf-8")))
        except Exception as error:
            sys.exit(f"{name}: {type(error).__name__}: {error}")
        print(f"{name}: {count} predictions")


if __name__ == "__main__":
    main()
