public import SystemPackage

/// Rules about the file a path names, seen through the candidate's ``FileAccess``.
extension SettingTrait where Value == FilePath {
    /// Something exists at the path.
    public static var exists: Self {
        path("an existing file", "must name a file that exists") { $0 != nil }
    }

    /// The path names a regular file this process may read.
    public static var readable: Self {
        path("a readable file", "must name a file that this process may read") { $0?.kind == .regular && $0?.isReadable == true }
    }

    /// The file is closed to group and others (mode 0600 or stricter), as private keys should be.
    public static var privateMode: Self {
        path("a file with mode 0600 or stricter", "must name a file that only its owner may read (chmod 600)") {
            $0.map { $0.permissions & 0o077 == 0 } ?? false
        }
    }

    private static func path(
        _ expected: String, _ requirement: String, holds: @escaping @Sendable (FileStatus?) -> Bool
    ) -> Self {
        Self(
            Constraint(code: "path", expected: expected, requirement: requirement) { value, context in
                holds(context.files.status(of: value))
            })
    }
}
