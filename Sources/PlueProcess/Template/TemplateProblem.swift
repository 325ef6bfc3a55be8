/// Why a template cannot be read or rendered: every place with what is wrong there. It names settings and never shows a value.
struct TemplateProblem: Error, Hashable, CustomStringConvertible {
    struct Place: Hashable {
        let line: Int
        let message: String
    }

    /// The template's file, as it was named.
    let file: String
    let places: [Place]

    init(file: String, _ places: [Place]) {
        self.file = file
        self.places = places
    }

    /// `/etc/plue/nginx.mustache:12: there is no setting 'web.prot'; did you mean 'web.port'?`, one after the other.
    var description: String {
        let shown = 8
        let rest = places.count > shown ? "; and \(places.count - shown) more" : ""
        return places.prefix(shown).map { "\(file):\($0.line): \($0.message)" }.joined(separator: "; ") + rest
    }
}
