/// What a client sends into a shell, as the steps the shell takes: one line at a time, and none while a command runs. Pure.
struct ShellInput {
    enum Step: Equatable {
        case show([UInt8])
        /// A line that is to be carried out; the next comes when it has ended.
        case run([UInt8])
        /// ^C, where no command runs.
        case interrupted
        /// The client has nothing more to say.
        case end
    }

    /// `nil` without a terminal: then lines are what ends in a line feed, and nothing is shown.
    private var editor: LineEditor?
    private var unread: ArraySlice<UInt8> = []
    private var steps: [Step] = []
    private var hasEnded = false

    /// The most that is kept while a command runs, in bytes; also the longest line without a terminal.
    static let capacity = 64 * 1024

    /// - Parameter prompt: Shown before each line; `nil` without a terminal.
    init(prompt: String?) { editor = prompt.map { LineEditor(prompt: $0) } }

    /// What to show where a line may be entered.
    var invitation: [UInt8] { editor?.invitation ?? [] }

    /// How many bytes it can still take.
    var room: Int { hasEnded ? 0 : Self.capacity - unread.count }

    /// Keeps what the client sent, no more than there is ``room`` for.
    /// - Returns: Whether what runs is to be interrupted: the terminal's ^C, before which what waited is void.
    mutating func take(_ bytes: some Collection<UInt8>, whileRunning isRunning: Bool) -> Bool {
        unread += bytes.prefix(room)
        guard isRunning, editor != nil, let last = unread.lastIndex(of: 0x03) else { return false }
        unread = unread[(last + 1)...]
        return true
    }

    /// There is nothing more after what was taken.
    mutating func takeEnd() { hasEnded = true }

    /// What the shell does next; `nil` until more has come. Not to be asked while a command runs.
    mutating func next() -> Step? {
        while steps.isEmpty {
            if editor != nil {
                guard let byte = unread.popFirst() else { break }
                for effect in editor?.take(byte) ?? [] { steps.append(Step(effect)) }
            } else {
                if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                    steps.append(.run(Array(unread[..<end])))
                    unread = unread[(end + 1)...]
                } else if !unread.isEmpty, hasEnded || unread.count >= Self.capacity {
                    steps.append(.run(Array(unread)))
                    unread = []
                } else {
                    break
                }
            }
        }
        guard steps.isEmpty else { return steps.removeFirst() }
        return hasEnded ? .end : nil
    }
}

extension ShellInput.Step {
    fileprivate init(_ effect: LineEditor.Effect) {
        self =
            switch effect {
            case .show(let bytes): .show(bytes)
            case .line(let line): .run(line)
            case .interrupt: .interrupted
            case .end: .end
            }
    }
}
