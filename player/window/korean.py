"""What was found wrong with a package, in Korean: the messages of errors, which are written in English, one by one.

A message that stands in no line here is shown as it is; a test holds the lines against what is raised.
"""

from __future__ import annotations

import re

_LINES: tuple[tuple[str, str], ...] = (
    # frame and label
    (r"The file ends after (\d+)(?: of \d+)? bytes, in .+\.", "파일이 {0}바이트에서 끝남"),
    (r"It ends too soon\.", "끝이 없음"),
    (r"The file cannot be (?:opened|read): (.+)\.", "{0}"),
    # what is no package: whole sentences, because what to do is another thing each time
    (
        r"This is not an OR Vault package: it is a ZIP file of something else\.",
        "OR Vault 패키지가 아니라 다른 ZIP 파일입니다. 패키지가 그 안에 들어 있으면 먼저 압축을 푸십시오.",
    ),
    (
        r"This is not an OR Vault package: .+",
        "OR Vault 패키지 파일이 아닙니다. 패키지였던 파일이라면 병원에서 받은 그대로 다시 받으십시오.",
    ),
    (r"This is a folder\.", "파일이 아니라 폴더입니다. 그 안에 있는 패키지 파일을 여십시오."),
    (r"It is a package of a newer format\.", "더 새로운 형식의 패키지입니다. 최신 플레이어를 사용하십시오."),
    (r"It is missing\.", "들어 있지 않음"),
    (r"It is not what its check sum says\.", "검사합과 다름"),
    (r"Its size is stated wrongly\.", "크기가 잘못 적혀 있음"),
    (r"Its ZIP header is not what it must be\.", "ZIP 머리말이 형식과 다름"),
    (r"It is not what it must be\.", "형식과 다름"),
    (r"(\d+) bytes were appended\.", "{0}바이트가 덧붙어 있음"),
    (r"It is not what was signed\.", "서명된 것이 아님"),
    (r"It is (\d+) bytes long; at most (\d+) are allowed\.", "{0}바이트로 너무 김 (최대 {1})"),
    (
        r"(?:It is not readable as JSON|Its JSON is not in canonical form|This cannot be written as .+)\.?",
        "JSON이 형식과 다름",
    ),
    (r"(?:A JSON object|An object with named fields) was expected\.", "JSON이 형식과 다름"),
    (r"The field '(.*)' .+\.", "항목 '{0}'이(가) 형식과 다름"),
    (r"A key slot is not one that was issued\.", "발급되지 않은 키 항목이 있음"),
    (r"Its hashes do not add up\.", "해시가 서명과 맞지 않음"),
    # keys and papers
    (r"The key slot .+\.", "키 항목이 봉인된 것과 다름"),
    (r"This gives another key than was signed\.", "서명된 것과 다른 키임"),
    (r"It does not agree with the label\.", "겉면과 맞지 않음"),
    (r"Its checkpoint is of another history\.", "다른 이력의 체크포인트임"),
    (r"Its checkpoint is not signed by who signed the package\.", "체크포인트에 발급자의 서명이 없음"),
    (r"The signature of .+ does not hold\.", "체크포인트의 서명이 맞지 않음"),
    (r"This is not a (?:checkpoint|signed note)\.", "체크포인트가 아님"),
    (r"No approval of this package stands in it\.", "이 패키지의 승인 기록이 없음"),
    (r"What was sealed by it is not what this package holds\.", "봉인 기록이 이 패키지의 내용과 다름"),
    (r"The package was sealed before it was approved\.", "승인보다 먼저 봉인됨"),
    (r"Entry (\d+) does not lie under its checkpoint\.", "{0}번 항목이 체크포인트에 속하지 않음"),
    # issuer
    (r"A certificate is not readable\.", "인증서를 읽을 수 없음"),
    (r"The chain of certificates is too long\.", "인증서가 너무 많음"),
    (r"The signer's certificate is not one that may sign data\.", "서명할 수 없는 인증서임"),
    (
        r"The signer's certificate is not that of an export server\.",
        "반출 서버의 인증서가 아님",
    ),
    (r"(?:A certificate's|The root certificate's) name is not .+\.", "인증서의 이름을 표시할 수 없음"),
    (r"The certificate of the signer was not valid on (\S+)\.", "서명자의 인증서가 {0}에 유효하지 않았음"),
    (r"The certificate of the root was not valid on (\S+)\.", "루트 인증서가 {0}에 유효하지 않았음"),
    (
        r"The signer's certificate \((.+)\) was revoked on (\S+), before this was signed\.",
        "서명자의 인증서({0})가 서명 전에 폐지됨: {1}",
    ),
    (
        r"The signer's certificate was not issued by the root that comes with it\.",
        "함께 있는 루트가 발급한 인증서가 아님",
    ),
    (
        r"The root certificate (?:is not a self-signed root|may not sign certificates)\.",
        "루트 인증서가 아님",
    ),
    (r"The certificate(?:'s key)? is not .+\.", "쓸 수 없는 인증서임"),
    # video
    (
        r"Chunk (\d+) of (\d+) is not what was (?:signed|sealed)\.",
        "전체 {1}조각 중 {0}번째가 서명된 것과 다름",
    ),
    (r"The sealed stream does not begin as one does\.", "봉인된 영상의 시작이 형식과 다름"),
    (r"The sealed stream ends within .+\.", "봉인된 영상이 중간에 끝남"),
    (r"No sealed stream is (\d+) bytes long: its end is missing\.", "봉인된 영상의 끝이 없음"),
    (
        r"(\d+) frames could be played where the manifest has (\d+)\.",
        "목록의 프레임 {1}개 중 {0}개만 재생할 수 있음",
    ),
    (r"It is not the video that the manifest describes\.", "목록에 적힌 영상이 아님"),
    (r"It has fewer pictures than it says\.", "적힌 것보다 프레임이 적음"),
    (r"Its pictures go back in time\.", "프레임의 시각이 거꾸로 감"),
    (r"A picture of (\d+)x(\d+) is not taken\.", "{0}×{1} 크기의 영상은 재생하지 않음"),
    (r"Its video is neither H\.264 nor H\.265\.", "H.264나 H.265 영상이 아님"),
    (r"(?:The video|A picture|A keyframe) cannot be .+\.", "프레임을 해독할 수 없음"),
    # activation
    (
        r"The package wants (\S+) asked before it opens, and who issued it is not known here\. .+",
        "발급자를 알 수 없어 {0}에 묻지 않았습니다. 병원의 루트 인증서를 등록하십시오.",
    ),
    (r"The package opens only after its hospital was asked, .+", "병원 서버에 물어야 열립니다."),
    (r"The hospital's server cannot be reached: (.+)\.", "병원 서버에 연결할 수 없습니다 ({0})."),
    (r"The server there does not show the certificate .+", "서버의 인증서가 패키지에 적힌 것과 다릅니다."),
    (r"The package names no usable certificate of .+", "패키지에 적힌 서버 인증서를 쓸 수 없습니다."),
    (r"What answers there is no hospital's server\.", "응답한 곳이 병원 서버가 아닙니다."),
    (r"The hospital's answer is to another question\.", "병원 서버의 응답이 질문과 맞지 않습니다."),
    (r"The hospital refuses: The hospital has taken this package back\.", "병원이 이 패키지를 회수했습니다."),
    (
        r"The hospital refuses: This package was opened as often as .+ \((\d+)\)\.",
        "허용된 횟수({0}회)를 모두 썼습니다.",
    ),
    (
        r"The hospital refuses: The hospital has deleted what opens .+",
        "병원이 이 패키지의 키를 삭제했습니다.",
    ),
    (
        r"The hospital refuses: There is no such package here, .+",
        "병원이 이 패키지를 알지 못하거나 열 수 있는 사람의 질문이 아닙니다.",
    ),
    (
        r"The hospital refuses: Many packages are being activated .+",
        "병원 서버가 바쁩니다. 잠시 뒤 다시 여십시오.",
    ),
    (
        r"The hospital refuses: Too many activations .+",
        "거절된 요청이 많아 기다려야 합니다. 나중에 다시 여십시오.",
    ),
    (r"The hospital refuses: (.+)", "병원이 거절했습니다 ({0})"),
)
_WHERE: tuple[tuple[str, str], ...] = (
    (r"issuer", "발급자"),
    (r"activation", "온라인 활성화"),
    (r"ZIP directory", "ZIP 목록"),
    (r"end of the file", "파일 끝"),
    (r"history of the package|signed note", "병원 이력의 증명"),
    (r"manifest\.enc.*", "봉인된 목록 (manifest.enc)"),
    (r"label\.json.*", "겉면 (label.json)"),
    (r"slots\.json.*", "키 항목 (slots.json)"),
    (r"media/(.+)\.mp4\.enc", "카메라 {0}의 영상 (media/{0}.mp4.enc)"),
    (r"media/(.+)\.leaves", "카메라 {0}의 해시 목록 (media/{0}.leaves)"),
    (r"camera (.+)", "카메라 {0}"),
)
_BAD_VIDEO = "영상의 구조가 형식과 다름"


def message(english: str) -> str:
    """What an error's message says."""
    return _put(english, _LINES)


def video(english: str) -> str:
    """The same of a video that cannot be decoded; how its boxes are wrong helps nobody who does not read English."""
    told = message(english)
    return _BAD_VIDEO if told == english else told


def place(english: str) -> str:
    """Where something was found."""
    return _put(english, _WHERE)


def _put(english: str, lines: tuple[tuple[str, str], ...]) -> str:
    for pattern, korean in lines:
        found = re.fullmatch(pattern, english, re.DOTALL)
        if found is not None:
            return korean.format(*(part or "" for part in found.groups()))
    return english
