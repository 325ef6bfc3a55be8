/// A problem while only its offsets are known; places are worked out once there is something to report.
struct Finding {
    let code: SyntaxProblem.Code
    let range: Range<Int>
    let message: String
    var label: String?
    var hint: String?
    var related: (range: Range<Int>, message: String)?

    init(
        _ code: SyntaxProblem.Code, _ range: Range<Int>, _ message: String, label: String? = nil, hint: String? = nil,
        related: (range: Range<Int>, message: String)? = nil
    ) {
        self.code = code
        self.range = range
        self.message = message
        self.label = label
        self.hint = hint
        self.related = related
    }
}

extension Finding: Error {}

/// Turns offsets of any bytes, valid UTF-8 or not, into places: in one pass over the bytes, since a hostile file may have its
/// mistakes at the ends of long lines, and no longer than to the last mistake, since it may be far over the limit.
struct PlaceFinder {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func problems(_ findings: [Finding]) -> [SyntaxProblem] {
        let places = places(findings)
        func place(_ offset: Int) -> Place { places[offset] ?? Place(line: 1, column: 1) }
        return findings.sorted { $0.range.lowerBound < $1.range.lowerBound }.map { finding in
            SyntaxProblem(
                code: finding.code, range: SourceRange(finding.range), start: place(finding.range.lowerBound),
                end: place(finding.range.upperBound), message: finding.message, label: finding.label, hint: finding.hint,
                related: finding.related.map { related in
                    [
                        SyntaxProblem.Related(
                            range: SourceRange(related.range), start: place(related.range.lowerBound),
                            end: place(related.range.upperBound), message: related.message)
                    ]
                } ?? [])
        }
    }

    private func places(_ findings: [Finding]) -> [Int: Place] {
        var wanted = Set<Int>()
        for finding in findings {
            for range in [finding.range, finding.related?.range ?? finding.range] {
                wanted.insert(range.lowerBound)
                wanted.insert(range.upperBound)
            }
        }
        var places: [Int: Place] = [:]
        var place = Place(line: 1, column: 1)
        // No editor counts the byte order mark as a column.
        var index = 0
        bytes.withUnsafeBufferPointer { bytes in
            let markEnd = bytes.startsWithByteOrderMark ? 3 : 0
            for offset in wanted.sorted() {
                while index < min(offset, bytes.count) {
                    if bytes[index] == .newline {
                        place = Place(line: place.line + 1, column: 1)
                    } else if bytes[index] & 0xC0 != 0x80, index >= markEnd {
                        place.column += 1
                    }
                    index += 1
                }
                places[offset] = place
            }
        }
        return places
    }
}
