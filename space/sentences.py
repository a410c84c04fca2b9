"""What this page and the static one say in the same words; what differs from time to time stands at {}."""

HINTS = {
    "voice": "Speak for ten seconds as you ordinarily do; then every answer is given against your voice.",
    "clip": "The answer appears here as soon as there is a clip.",
    "compare": "The comparison appears here as soon as there are two clips.",
    "live": "What I hear appears here, several times a second.",
    "recording": "The timeline appears here as soon as there is a recording.",
    "batch": "The table appears here as soon as there are files.",
}
MICROPHONE = {  # by the name of the browser's error
    "NotAllowedError": "The microphone is blocked. Allow it beside the page's address and try again, or choose a file.",
    "NotFoundError": "No microphone was found. Connect one and try again, or choose a file.",
    "NotReadableError": "The microphone is in use by another program. Close that program, or choose a file.",
    "other": "The microphone cannot be opened: {}.",
    "insecure": "The browser gives the microphone only to pages on https:// or localhost. Choosing a file works.",
}
VOICE = {
    "title": "Your voice first",
    "label": "Ten seconds of your ordinary voice",
    "forget": "Forget my voice",
    "told": 'I have heard {} s of your voice. Until you leave the page or press "Forget my voice", every answer is given '
    "against it. It is stored nowhere.",
    "too_short": "This lasts {} s. Speak for {} s or more, as you ordinarily do.",
}
TOO_SHORT = "{} lasts {} s; at least {} s is needed. Record a little more."
TOO_MANY_FILES = "These are {} files; {} is the most at once. Choose fewer."
TOO_MANY_WINDOWS = "A step of {} s makes {} windows of this recording; {} is the most. Choose a longer step."
