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

/// Turns offsets of any bytes, valid UTF-8 or not, into places.
struct PlaceFinder {
    private let bytes: [UInt8]
    private let lineStarts: [Int]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var starts = [0]
        for (index, byte) in bytes.enumerated() where byte == .newline { starts.append(index + 1) }
        lineStarts = starts
    }

    func problems(_ findings: [Finding]) -> [SyntaxProblem] {
        findings.sorted { $0.range.lowerBound < $1.range.lowerBound }.map { finding in
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

    private func place(_ offset: Int) -> Place {
        let offset = min(offset, bytes.count)
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        let line = bytes[lineStarts[low]..<offset]
        return Place(line: low + 1, column: 1 + line.lazy.filter { $0 & 0xC0 != 0x80 }.count)
    }
}
