"""The exception of all verbs."""


class OnetokenError(Exception):
    """Why a call has no answer.

    `code` is a word of `onetoken.CODES`, which never changes. `detail` is a dict with what else is known, such as the
    `reason`, or the `index` of a caveat. Neither holds a token, a secret or a signature; `detail` may hold a caveat, and
    what could be read of a damaged token.
    """

    __module__ = "onetoken"

    def __init__(self, code, detail=None):
        super().__init__(code, {} if detail is None else detail)

    @property
    def code(self):
        """What went wrong: one word."""
        return self.args[0]

    @property
    def detail(self):
        """What else is known: a dict."""
        return self.args[1]

    def __str__(self):
        known = self.detail
        named = ("member", "discharge", "index", "caveat", "offset")
        said = [f"{name} {known[name]}" for name in named if name in known]
        said += [str(known[name]) for name in ("reason", "hint") if name in known]
        return f"{self.code}: {', '.join(said)}" if said else self.code
