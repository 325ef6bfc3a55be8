/// The names of one section's keys, in order, with their positions.
///
/// Most sections have a handful, which are found sooner by comparing one after another than by hashing.
struct NameTable: Sendable {
    private(set) var names: [String] = []
    private var positions: [String: Int] = [:]

    /// So many names are compared; more are hashed.
    private static let few = 16

    mutating func reserveCapacity(_ count: Int) {
        names.reserveCapacity(count)
        if count > Self.few { positions.reserveCapacity(count) }
    }

    /// Adds a name. One that is there already has its new position from now on.
    mutating func append(_ name: String) {
        names.append(name)
        if names.count == Self.few + 1 {
            for (position, name) in names.enumerated() { positions[name] = position }
        } else if names.count > Self.few {
            positions[name] = names.count - 1
        }
    }

    func position(of name: String) -> Int? {
        names.count > Self.few ? positions[name] : names.lastIndex(of: name)
    }
}
